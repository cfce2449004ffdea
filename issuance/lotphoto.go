package issuance

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	_ "image/png" // photographs come as either
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"elicense"
	"elicense/catalog"
	"elicense/store"

	"golang.org/x/image/draw"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// The bounds of an archive of photographs.
const (
	// MaxPhotos bounds the archive in bytes. A lot takes as many archives as it needs.
	MaxPhotos = 64 << 20

	maxPhotoFiles = 20_000
	maxPhotoFile  = 8 << 20    // bytes of one photograph, unpacked
	maxPhotoDots  = 24_000_000 // of one, decoded
	photoWidth    = 420        // dots a photograph on a license has at most
	photoHeight   = 560
	photoBatch    = 50 // rows a transaction takes
)

const photoMissing = "照片“%s”还没有上传"

// LotPhotos takes a ZIP archive of photographs for the rows of a lot that name
// them: JPEG or PNG files, found by their names wherever they lie in the archive and
// made as small as a license takes them. Rows that waited for nothing else are
// checked as when they were read; those that stand become drafts of the lot. It
// returns the names no row asks for.
//
// Errors: Invalid for what is no archive, holds two files of one name or a picture
// that can't be read; TooLarge; Forbidden; Conflict if the lot is past it.
func (i *Issuer) LotPhotos(ctx context.Context, actor *elicense.Actor, id string, archive []byte) (l *Lot, unused []string, err error) {
	photos, err := openPhotos(archive)
	if err != nil {
		return nil, nil, err
	}
	r := &lotReader{issuer: i, actor: actor}
	defer func() { err = errors.Join(err, r.numbers.close()) }()
	if err := r.begin(ctx, LotFile{Lot: id}); err != nil {
		return nil, nil, err
	}
	for after := 0; ; {
		rows, err := r.waiting(ctx, after)
		if err != nil {
			return nil, nil, err
		}
		if len(rows) == 0 {
			break
		}
		after = rows[len(rows)-1].place
		if err := r.illustrate(ctx, rows, photos); err != nil {
			return nil, nil, err
		}
	}
	l, err = i.Lot(ctx, actor, id)
	return l, photos.unused(), err
}

// photoArchive is an archive of photographs by the names of its files.
type photoArchive struct {
	files map[string]*zip.File
	used  map[string]bool
}

func openPhotos(archive []byte) (*photoArchive, error) {
	bad := func(kind elicense.Kind, text string, args ...any) error {
		return elicense.E(kind, text, args...).At("photos").Then("请把照片放进一个ZIP压缩包，每张照片的文件名和表里填的一样")
	}
	if len(archive) > MaxPhotos {
		return nil, bad(elicense.TooLarge, "照片压缩包最大%dMB，可以分几次上传", MaxPhotos>>20)
	}
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, bad(elicense.Invalid, "照片压缩包看不懂：要ZIP文件")
	}
	if len(z.File) > maxPhotoFiles {
		return nil, bad(elicense.TooLarge, "照片压缩包里最多%d个文件", maxPhotoFiles)
	}
	a := &photoArchive{map[string]*zip.File{}, map[string]bool{}}
	for _, f := range z.File {
		if f.NonUTF8 { // as Windows packs Chinese names
			if s, err := simplifiedchinese.GB18030.NewDecoder().String(f.Name); err == nil {
				f.Name = s
			}
		}
		name := photoName(f.Name)
		if f.FileInfo().IsDir() || strings.HasPrefix(name, ".") || strings.Contains(f.Name, "__macosx/") || strings.Contains(f.Name, "__MACOSX/") {
			continue
		}
		if a.files[name] != nil {
			return nil, bad(elicense.Invalid, "照片压缩包里有两个文件叫“%s”", path.Base(f.Name))
		}
		a.files[name] = f
	}
	return a, nil
}

// photoName is a photograph's name as it is compared.
func photoName(s string) string {
	return strings.ToLower(strings.TrimSpace(path.Base(strings.ReplaceAll(s, `\`, "/"))))
}

// unused are the names no row asked for.
func (a *photoArchive) unused() (names []string) {
	for name := range a.files {
		if !a.used[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

var errNoPhoto = errors.New("the archive does not have the photograph")

// get returns a photograph as the value of a field. Its errors but errNoPhoto are
// sentences for people.
func (a *photoArchive) get(name string) (string, error) {
	f := a.files[photoName(name)]
	if f == nil {
		return "", errNoPhoto
	}
	a.used[photoName(name)] = true
	bad := func(why string, err error) error {
		return elicense.E(elicense.Invalid, "照片“%s”%s", name, why).At("photos").Because(err)
	}
	if f.UncompressedSize64 > maxPhotoFile {
		return "", bad("太大，最大8MB", nil)
	}
	in, err := f.Open()
	if err != nil {
		return "", bad("读不出来", err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxPhotoFile+1))
	if err != nil || len(data) > maxPhotoFile { // its header may lie
		return "", bad("读不出来", err)
	}
	v, err := photoValue(data)
	if err != nil {
		return "", bad("不是能用的JPG或PNG图片", err)
	}
	return v, nil
}

// photoValue makes the value of a field of a photograph, smaller if it must be.
func photoValue(data []byte) (string, error) {
	kind := http.DetectContentType(data)
	if v := "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data); kind == "image/jpeg" || kind == "image/png" {
		if _, _, ok := catalog.Photo(v); ok {
			_, _, err := image.DecodeConfig(bytes.NewReader(data))
			return v, err
		}
	} else {
		return "", fmt.Errorf("a photograph of type %s", kind)
	}
	size, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	if size.Width <= 0 || size.Height <= 0 || size.Width > maxPhotoDots/size.Height {
		return "", fmt.Errorf("a photograph of %d by %d dots", size.Width, size.Height)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	fits := min(1, photoWidth/float64(size.Width), photoHeight/float64(size.Height))
	for _, scale := range []float64{fits, 0.7 * fits, 0.5 * fits} {
		small := image.NewRGBA(image.Rect(0, 0, max(1, int(float64(size.Width)*scale)), max(1, int(float64(size.Height)*scale))))
		draw.Draw(small, small.Rect, image.White, image.Point{}, draw.Src)
		draw.CatmullRom.Scale(small, small.Rect, img, img.Bounds(), draw.Over, nil)
		for _, quality := range []int{90, 80, 65} {
			var b bytes.Buffer
			if err := jpeg.Encode(&b, small, &jpeg.Options{Quality: quality}); err != nil {
				return "", err
			}
			v := "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
			if _, _, ok := catalog.Photo(v); ok {
				return v, nil
			}
		}
	}
	return "", errors.New("a photograph that does not get small enough")
}

// waitingRow is a bad row that waits for nothing but its photographs.
type waitingRow struct {
	place int
	badRow
}

// waiting reads the next rows of the lot that wait for photographs.
func (r *lotReader) waiting(ctx context.Context, after int) (list []waitingRow, err error) {
	err = r.issuer.DB.View(ctx, func(tx *store.Tx) error {
		all, err := store.All(tx, func(rows *store.Rows) (w waitingRow, err error) {
			var b []byte
			if err := rows.Scan(&w.place, &b); err != nil {
				return w, err
			}
			b, err = tx.Decrypt("lot_bad", r.lot.ID+"/"+strconv.Itoa(w.place), "content_enc", b)
			if err == nil {
				err = json.Unmarshal(b, &w.badRow)
			}
			return w, err
		}, `SELECT place, content_enc FROM lot_bad WHERE lot = $1 AND place > $2 AND awaits = $3 ORDER BY place LIMIT $4`, r.lot.ID, after, true, photoBatch)
		list = all
		return err
	})
	return list, err
}

// illustrate puts photographs into rows and takes those that have all of theirs.
func (r *lotReader) illustrate(ctx context.Context, rows []waitingRow, photos *photoArchive) error {
	type ready struct {
		waitingRow
		full  []string // cells with photographs for their names
		wrong []string
	}
	var list []ready
	for _, w := range rows {
		x := ready{w, slices.Clone(w.Cells), nil}
		missing := false
		for n, c := range r.columns {
			if n >= len(x.full) || !c.photo || x.full[n] == "" {
				continue
			}
			v, err := photos.get(x.full[n])
			switch {
			case errors.Is(err, errNoPhoto):
				missing = true
			case err != nil:
				x.wrong = append(x.wrong, r.said(err)...)
			default:
				x.full[n] = v
			}
		}
		if !missing {
			list = append(list, x)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return r.inLot(ctx, func(tx *store.Tx) error {
		for _, x := range list {
			wrong := x.wrong
			var d *Draft
			if len(wrong) == 0 {
				var err error
				if d, wrong, err = r.draft(tx, x.full, x.place); err != nil {
					return err
				}
			}
			if len(wrong) > 0 {
				if err := (&badRow{Cells: x.Cells, Errors: wrong}).put(tx, r.lot.ID, x.place); err != nil {
					return err
				}
				continue
			}
			if _, err := tx.Exec(`DELETE FROM lot_bad WHERE lot = $1 AND place = $2`, r.lot.ID, x.place); err != nil {
				return err
			}
			r.good++
			if err := insertDraft(tx, d); err != nil {
				return err
			}
		}
		return nil
	})
}

// photoWrong says what a row that names photographs still lacks: everything its
// fields are wrong in, and the photographs. awaits tells that it is only those.
func (r *lotReader) photoWrong(tx *store.Tx, cells []string) (wrong []string, awaits bool) {
	var names []string
	for n, c := range r.columns {
		switch {
		case !c.photo:
		case cells[n] != "":
			names = append(names, fmt.Sprintf(photoMissing, cells[n]))
		case c.required:
			wrong = append(wrong, c.title+"：要填照片的文件名")
		}
	}
	if len(names) == 0 {
		return wrong, false
	}
	c := r.completion(cells, r.lot.Closed)
	for _, f := range r.t.CheckFields(c.Fields, elicense.DateOf(tx.Now())) {
		if !f.Warning {
			wrong = append(wrong, f.Label+"："+f.Text)
		}
	}
	return append(wrong, names...), len(wrong) == 0
}

// inLot runs rows of a lot that is there, and counts the good ones to it.
func (r *lotReader) inLot(ctx context.Context, rows func(tx *store.Tx) error) error {
	good, place := r.good, r.place
	err := r.issuer.DB.Update(ctx, func(tx *store.Tx) error {
		// The transaction may be run again.
		r.good, r.place, r.fresh = good, place, map[uint64]int{}
		if err := rows(tx); err != nil {
			return err
		}
		if !r.added {
			return nil
		}
		// What comes back into a lot stands with its transaction, however the
		// reading ends.
		list, err := bareLots(tx, `WHERE id = $1`, r.lot.ID)
		if err != nil {
			return err
		}
		if len(list) == 0 || list[0].State != LotOpen {
			return elicense.E(elicense.Conflict, "这个批次刚刚有人办过").Then("请刷新，核对后再办")
		}
		list[0].Rows += r.good - good
		return list[0].update(tx)
	})
	for digest, line := range r.fresh {
		if err == nil {
			err = r.numbers.put(digest, line)
		}
	}
	return err
}
