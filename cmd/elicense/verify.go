package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"elicense"
	"elicense/document"
	"elicense/gm"
)

type verifyCmd struct {
	Files []string `arg:"" help:"License files (OFD)." name:"file" placeholder:"FILE"`
	Root  []string `help:"Trusted root certificates (PEM); may be given again." env:"ELICENSE_ROOT" placeholder:"CERT.pem"`
	JSON  bool     `help:"Print the whole reports as JSON." env:"ELICENSE_JSON"`
}

// verdict is one file's report.
type verdict struct {
	File string `json:"file"`
	document.Report
}

// maxVerify bounds a license file in bytes, as the public check does.
const maxVerify = 20 << 20

// Run judges each file without any network. All genuine and trusted is exit 0;
// any other verdict 1; an unusable argument 2, before anything is judged.
func (c *verifyCmd) Run() error {
	options := document.Options{Now: time.Now()}
	for _, path := range c.Root {
		b, err := os.ReadFile(path)
		if err != nil {
			return unusable(path, err)
		}
		roots, err := gm.ParsePEM(b)
		if err != nil {
			return unusable(path, err)
		}
		options.Roots = append(options.Roots, roots...)
	}
	files := make([][]byte, len(c.Files))
	for i, path := range c.Files {
		info, err := os.Stat(path)
		if err == nil && info.Size() > maxVerify {
			err = elicense.E(elicense.TooLarge, "文件超过%d MB", maxVerify>>20)
		}
		if err == nil {
			files[i], err = os.ReadFile(path)
		}
		if err != nil {
			return unusable(path, err)
		}
	}
	all, trusted := make([]verdict, len(files)), true
	for i, b := range files {
		all[i] = verdict{c.Files[i], document.Judge(b, options)}
		trusted = trusted && all[i].Verdict == document.Genuine
	}
	if err := c.print(all); err != nil {
		return err
	}
	if !trusted {
		return exit(exitFound)
	}
	return nil
}

func unusable(path string, err error) error {
	fmt.Fprintf(os.Stderr, "elicense: %s: %v\n", path, err)
	return exit(exitUsage)
}

var verdictWords = map[string]string{
	document.Genuine: "真实", document.GenuineUntrusted: "签章成立，但签章人不可信任，原因如下", document.Altered: "被改动过",
	document.NotSigned: "没有签章", document.Unreadable: "不能核验",
}

func (c *verifyCmd) print(all []verdict) error {
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	for _, v := range all {
		fmt.Printf("%s: %s\n", v.File, verdictWords[v.Verdict])
		for _, s := range v.Signatures {
			who := s.SealName
			if who == "" {
				who = s.Unit
			}
			when := "时间不详"
			if !s.Time.IsZero() {
				when = s.Time.In(elicense.Shanghai).Format("2006-01-02 15:04:05")
			}
			if who != "" {
				fmt.Printf("  签章：%s，%s\n", who, when)
			}
		}
		for _, k := range v.Checks {
			if !k.OK() {
				fmt.Printf("  %s\n", k.Reason)
			}
		}
	}
	return nil
}
