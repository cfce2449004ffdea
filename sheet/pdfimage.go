package sheet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strconv"
)

const (
	// maxPixels is how many bytes the pixels of a decoded image may take.
	maxPixels = 24 << 20
	// maxSide bounds both sides of any image.
	maxSide = 1 << 15
)

func (w *pdfWriter) image(b []byte, im *Image) ([]byte, error) {
	n, err := w.imageNumber(im)
	if err != nil {
		return b, err
	}
	// PDF has the upper side of an image at 1.
	m := Matrix{1, 0, 0, -1, 0, 1}.Then(im.Matrix)
	b, _ = w.enter(b, &m, im.Opacity, true)
	b = append(b, "/I"...)
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, " Do Q\n"...), nil
}

// imageNumber returns an image's number as a resource and writes it when it is
// met first.
func (w *pdfWriter) imageNumber(im *Image) (int, error) {
	for i := range w.images {
		if sameBytes(w.images[i].data, im.Data) {
			return i + 1, nil
		}
	}
	if len(w.out)+len(im.Data) > maxPDF {
		return 0, ErrPDFLarge
	}
	var object int
	var err error
	switch im.MIME {
	case "image/jpeg":
		object, err = w.jpeg(im.Data)
	case "image/png":
		object, err = w.png(im.Data)
	default:
		err = fmt.Errorf("type %.20q", im.MIME)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrPDFImage, err)
	}
	w.images = append(w.images, pdfImage{im.Data, object})
	return len(w.images), nil
}

// sameBytes compares contents; those at one place need no looking at.
func sameBytes(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || bytes.Equal(a, b))
}

func (w *pdfWriter) beginImage(object, width, height int, space string) {
	w.begin(object)
	w.str("<</Type/XObject/Subtype/Image/Interpolate true/BitsPerComponent 8/Width ")
	w.int(width)
	w.str("/Height ")
	w.int(height)
	w.str("/ColorSpace" + space)
}

// jpeg puts a JPEG file in as it is.
func (w *pdfWriter) jpeg(data []byte) (int, error) {
	width, height, parts, err := jpegHeader(data)
	if err != nil {
		return 0, err
	}
	object := w.newObject()
	w.beginImage(object, width, height, map[int]string{1: "/DeviceGray", 3: "/DeviceRGB", 4: "/DeviceCMYK"}[parts])
	if parts == 4 { // files with four colours have them inverted, Adobe's doing
		w.str("/Decode[1 0 1 0 1 0 1 0]")
	}
	w.str("/Filter/DCTDecode")
	w.stream(data)
	return object, nil
}

// jpegHeader finds the size and the number of colours of a JPEG file.
func jpegHeader(data []byte) (width, height, parts int, err error) {
	if !bytes.HasPrefix(data, []byte{0xff, 0xd8}) {
		return 0, 0, 0, fmt.Errorf("JPEG: not one")
	}
	for at := 2; at+4 <= len(data); {
		if data[at] != 0xff {
			break
		}
		marker := data[at+1]
		if marker == 0xff { // filling
			at++
			continue
		}
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		frame := marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
		if frame {
			if marker > 0xc2 || size < 8 || at+10 > len(data) || data[at+4] != 8 {
				return 0, 0, 0, fmt.Errorf("JPEG: of a rare kind")
			}
			height, width = int(binary.BigEndian.Uint16(data[at+5:])), int(binary.BigEndian.Uint16(data[at+7:]))
			parts = int(data[at+9])
			if width < 1 || height < 1 || width > maxSide || height > maxSide || parts != 1 && parts != 3 && parts != 4 {
				return 0, 0, 0, fmt.Errorf("JPEG: %d by %d with %d colours", width, height, parts)
			}
			return width, height, parts, nil
		}
		if size < 2 || marker == 0xda || marker == 0xd9 {
			break
		}
		at += 2 + size
	}
	return 0, 0, 0, fmt.Errorf("JPEG: no frame")
}

// png puts the pixels of a PNG file in, and their opacity as a soft mask if
// there is any.
func (w *pdfWriter) png(data []byte) (int, error) {
	conf, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	bytesPerPixel := 8
	switch conf.ColorModel {
	case color.GrayModel:
		bytesPerPixel = 1
	case color.Gray16Model:
		bytesPerPixel = 2
	case color.RGBAModel, color.NRGBAModel:
		bytesPerPixel = 4
	}
	if _, ok := conf.ColorModel.(color.Palette); ok {
		bytesPerPixel = 1
	}
	if conf.Width > maxSide || conf.Height > maxSide || conf.Width*conf.Height > maxPixels/bytesPerPixel {
		return 0, fmt.Errorf("PNG: %d by %d pixels", conf.Width, conf.Height)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	o, ok := img.(interface{ Opaque() bool })
	opaque := ok && o.Opaque()
	object := w.newObject()
	mask := 0
	if !opaque {
		mask = w.newObject()
		w.beginImage(mask, conf.Width, conf.Height, "/DeviceGray")
		w.rows(img, 1, func(row []byte, y int) {
			for x := range row {
				row[x] = pixel(img, x, y).A
			}
		})
	}
	if gray, ok := img.(*image.Gray); ok {
		w.beginImage(object, conf.Width, conf.Height, "/DeviceGray")
		w.rows(img, 1, func(row []byte, y int) {
			copy(row, gray.Pix[y*gray.Stride:])
		})
		return object, nil
	}
	w.beginImage(object, conf.Width, conf.Height, "/DeviceRGB")
	if mask != 0 {
		w.str("/SMask ")
		w.ref(mask)
	}
	w.rows(img, 3, func(row []byte, y int) {
		for x := range len(row) / 3 {
			c := pixel(img, x, y)
			row[3*x], row[3*x+1], row[3*x+2] = c.R, c.G, c.B
		}
	})
	return object, nil
}

// pixel returns a pixel's colour as it is where it is opaque.
func pixel(img image.Image, x, y int) color.NRGBA {
	switch img := img.(type) {
	case *image.NRGBA:
		return img.NRGBAAt(x, y)
	case *image.RGBA: // what the decoder gives for pixels that are all opaque
		c := img.RGBAAt(x, y)
		return color.NRGBA(c)
	}
	return color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
}

// rows packs the rows of an image one after the other, so that they are never in
// memory together.
func (w *pdfWriter) rows(img image.Image, perPixel int, fill func(row []byte, y int)) {
	size := img.Bounds().Size()
	row := make([]byte, size.X*perPixel)
	d := zippers.Get().(*zipper)
	defer d.free()
	d.buf.Reset()
	d.w.Reset(&d.buf)
	for y := range size.Y {
		fill(row, y)
		d.w.Write(row) // a bytes.Buffer takes everything
	}
	d.w.Close()
	w.str("/Filter/FlateDecode")
	w.stream(d.buf.Bytes())
}
