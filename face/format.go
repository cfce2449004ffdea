package face

import (
	"bytes"
	"image"
	_ "image/jpeg" // the formats of photos
	_ "image/png"
	"strconv"
	"strings"
)

// format sets one value in the format a template asks for. A value that is no
// date stays as it is: 长期 stands in a date's place.
func format(value, form string) string {
	year, month, day, ok := dateOf(value)
	if !ok {
		return value
	}
	switch form {
	case "D0":
		return value[:4] + "年" + value[5:7] + "月" + value[8:] + "日"
	case "D2":
		var b strings.Builder
		for _, d := range value[:4] {
			b.WriteRune([]rune("〇一二三四五六七八九")[d-'0'])
		}
		return b.String() + "年" + count(month) + "月" + count(day) + "日"
	}
	return strconv.Itoa(year) + "年" + strconv.Itoa(month) + "月" + strconv.Itoa(day) + "日"
}

// dateOf reads 2026-01-05.
func dateOf(s string) (year, month, day int, ok bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return
	}
	for i, c := range []byte(s) {
		if i != 4 && i != 7 && (c < '0' || c > '9') {
			return
		}
	}
	year, _ = strconv.Atoi(s[:4])
	month, _ = strconv.Atoi(s[5:7])
	day, _ = strconv.Atoi(s[8:])
	return year, month, day, month >= 1 && month <= 12 && day >= 1 && day <= 31
}

// count writes a number below 100 in Chinese: 十, 二十一.
func count(n int) string {
	digits := []rune("〇一二三四五六七八九")
	s := ""
	switch {
	case n >= 20:
		s = string(digits[n/10]) + "十"
	case n >= 10:
		s = "十"
	}
	if n%10 > 0 {
		s += string(digits[n%10])
	}
	return s
}

// Bounds of a photo or an imported picture.
const (
	maxImage  = 1 << 20 // bytes
	maxPixels = 4000    // on a side
)

// checkImage sees that a picture is a PNG or JPEG of reasonable size, by its
// head: it is drawn by others, who decode it.
func checkImage(mime string, data []byte) error {
	if len(data) > maxImage {
		return ErrPicture
	}
	c, kind, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || "image/"+kind != mime || c.Width < 1 || c.Height < 1 || c.Width > maxPixels || c.Height > maxPixels {
		return ErrPicture
	}
	return nil
}
