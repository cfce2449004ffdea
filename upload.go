package elicense

import "bytes"

// MaxUpload bounds a file a person uploads as a document or as a proof, in bytes.
const MaxUpload = 10 << 20

// uploads are the kinds of files that are taken, by what their first bytes say.
var uploads = []struct{ kind, start string }{
	{"application/pdf", "%PDF-"}, {"image/jpeg", "\xff\xd8\xff"}, {"image/png", "\x89PNG\r\n\x1a\n"},
}

// CheckUpload returns the media type of an uploaded PDF, JPEG or PNG file.
//
// Errors, at the field: Invalid for an empty file or one of another kind; TooLarge.
func CheckUpload(file []byte, field string) (kind string, err error) {
	switch {
	case len(file) == 0:
		return "", E(Invalid, "文件是空的").At(field).Then("请重新选择文件")
	case len(file) > MaxUpload:
		return "", E(TooLarge, "文件最大10MB").At(field).Then("请压缩或分成几个文件")
	}
	for _, u := range uploads {
		if bytes.HasPrefix(file, []byte(u.start)) {
			return u.kind, nil
		}
	}
	return "", E(Invalid, "只收PDF、JPG、PNG文件").At(field).Then("请另存为这几种格式再上传")
}
