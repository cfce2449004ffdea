package offline

import (
	"archive/zip"
	"bytes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"elicense"
	"elicense/gm"
)

// The entries of a package. Rows and files stand in it as they stand at the
// station, each encrypted by itself: what is damaged on the way costs its own row.
const (
	packKit     = "kit"
	packJournal = "journal"
	packRows    = "rows/"
	packFiles   = "files/"
)

// MaxPackage bounds a package in bytes.
const MaxPackage = 64 << 20

// pack writes the package of all that is in the station's folder.
func pack(s *Station) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	put := func(name string, data []byte, method uint16) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = f.Write(data)
		}
		return err
	}
	if err := put(packKit, []byte(s.kit.ID), zip.Store); err != nil {
		return nil, err
	}
	if err := put(packJournal, joinLines(s.lines), zip.Deflate); err != nil {
		return nil, err
	}
	for n := 1; n <= s.used(); n++ {
		for _, part := range []struct{ dir, name string }{{"rows", packRows}, {"files", packFiles}} {
			data, err := os.ReadFile(s.path(part.dir, name(n)))
			if errors.Is(err, fs.ErrNotExist) {
				continue // it was given up, or is not sealed yet
			}
			if err != nil {
				return nil, fmt.Errorf("package: %w", err)
			}
			if err := put(part.name+name(n), data, zip.Store); err != nil {
				return nil, err
			}
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if b.Len() > MaxPackage {
		return nil, elicense.E(elicense.TooLarge, "离线包太大，最多%d MB", MaxPackage>>20)
	}
	return b.Bytes(), nil
}

// content is a package that was opened; rows and files are read one by one.
type content struct {
	kit   string
	lines []*line
	zip   *zip.Reader
	data  cipher.AEAD
}

func badPackage(cause error) error {
	return elicense.E(elicense.Invalid, "这不是完整的离线包，或已被改动").At("package").Then("请从离线制证的机器上重新导出").Because(cause)
}

// packageOf tells which kit a package is of.
func packageOf(file []byte) (*content, error) {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, badPackage(err)
	}
	id, err := entry(z, packKit, 100)
	if err != nil {
		return nil, badPackage(err)
	}
	return &content{kit: string(id), zip: z}, nil
}

// open reads the package's journal. It must be whole: it says what the rest is
// judged by.
func (c *content) open(k *Kit, data []byte) error {
	text, err := entry(c.zip, packJournal, 32<<20)
	if err != nil {
		return badPackage(err)
	}
	lines, torn, err := readJournal(k, text)
	if err == nil && torn > 0 {
		err = errJournalLine
	}
	if err != nil {
		return elicense.E(elicense.Invalid, "离线包里的日志被改动过：%s", journalWords(err)).At("package").Under("第七条第二款").Then("请从离线制证的机器上重新导出；仍然如此的，请联系本单位管理人员").Because(err)
	}
	c.lines = lines
	c.data, err = gm.NewAEAD(data)
	return err
}

func journalWords(err error) string {
	switch {
	case errors.Is(err, errJournalChain):
		return "记录前后不相接，有改动、删除或插入"
	case errors.Is(err, errJournalSign):
		return "有一条记录不是所写的人签名的"
	}
	return "有一条记录不完整"
}

// row reads the row of a number; digest is what the journal says of it.
func (c *content) row(number int, digest string) (*Row, error) {
	sealed, err := entry(c.zip, packRows+name(number), 8<<20)
	if err != nil {
		return nil, err
	}
	return openRow(c.data, c.kit, number, digest, sealed)
}

// file reads the sealed file of a number.
func (c *content) file(number int, digest string) ([]byte, error) {
	sealed, err := entry(c.zip, packFiles+name(number), 32<<20)
	if err != nil {
		return nil, err
	}
	file, err := gm.Decrypt(c.data, sealed, fileBound(c.kit, number))
	if err == nil && digestOf(file) != digest {
		err = errDigest
	}
	return file, err
}
