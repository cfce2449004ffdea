package document

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"elicense/ofd"
	"elicense/seal"
)

// maxData bounds the structured data of a file in bytes. Ours have 1 to 10 KB.
const maxData = 1 << 20

// agreement compares the copies of a license's data in a file: the metadata of
// OFD.xml, the texts of the page that tags point at, and the attachment for
// machines (GB/T 36905-2018: nothing the face does not show). All of them are
// signed, so that a difference is not an alteration but a maker who says one
// thing to people and another to machines.
func agreement(f *ofd.File) seal.Check {
	attached, err := f.Attachments()
	if err != nil {
		return disagree(fileOf(err), "附件列表无法读取。", "The list of attachments can't be read.")
	}
	i := slices.IndexFunc(attached, func(a ofd.Attachment) bool { return strings.EqualFold(a.Name, dataName) })
	if i < 0 {
		return nothingToCompare
	}
	if len(attached[i].Data) > maxData {
		return disagree("", "结构化数据过大，不予比对。", "The structured data are too large to compare.")
	}
	var d licenseData
	if err := json.Unmarshal(attached[i].Data, &d); err != nil || d.Format != dataFormat {
		return nothingToCompare
	}
	tags, err := f.Tags()
	if err != nil {
		return disagree(fileOf(err), "照面数据的标引无法读取。", "The tags of the face's data can't be read.")
	}
	shown := make(map[string]string, len(d.Fields))
	for key, v := range d.Fields {
		shown[key] = v.Shown
	}
	if key, ok := differ(f.Bodies[0].Custom, d.Metadata); !ok {
		return disagree("", fmt.Sprintf("元数据与结构化数据不一致：%.60s。", key), fmt.Sprintf("The metadata and the structured data differ in %.60s.", key))
	}
	if key, ok := differ(tags, shown); !ok {
		return disagree("", fmt.Sprintf("照面文字与结构化数据不一致：%.60s。", key), fmt.Sprintf("The text of the face and the structured data differ in %.60s.", key))
	}
	return seal.Check{Name: checkData, State: seal.Pass, Reason: "元数据、照面文字与结构化数据一致。",
		ReasonEn: "The metadata, the text of the face and the structured data agree."}
}

const checkData = "data"

var nothingToCompare = seal.Check{Name: checkData, State: seal.NotApplicable,
	Reason: "文件没有可比对的结构化数据。", ReasonEn: "The file has no structured data to compare."}

func disagree(file, zh, en string) seal.Check {
	return seal.Check{Name: checkData, State: seal.Fail, Kind: seal.Trust, Reason: zh, ReasonEn: en, File: file}
}

// differ names the first key, in the order of pairs and then of the alphabet, of
// which the two copies say something else but for spaces. A key of one that the
// other lacks, or that pairs has twice, differs too.
func differ(pairs []Pair, values map[string]string) (key string, ok bool) {
	seen := make(map[string]bool, len(pairs))
	for _, p := range pairs {
		value, has := values[p.Name]
		if !has || seen[p.Name] || squeezed(p.Value) != squeezed(value) {
			return p.Name, false
		}
		seen[p.Name] = true
	}
	missing := ""
	for k := range values {
		if !seen[k] && (missing == "" || cmp.Less(k, missing)) {
			missing = k
		}
	}
	return missing, len(seen) == len(values)
}

// squeezed removes spaces: a text broken into lines has none where it breaks.
func squeezed(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}
