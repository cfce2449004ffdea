package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"elicense"
	"elicense/oversight"
	"elicense/store"
	"elicense/verification"
)

type fsckCmd struct {
	place
	JSON bool `help:"Print the findings as JSON." env:"ELICENSE_JSON"`
}

type fsckOut struct {
	oversight.Summary
	Problems []oversight.Finding `json:"problems"`
}

// Run checks the platform in the place, which no other process may have open.
func (c *fsckCmd) Run(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(c.Data, "keys")); err != nil {
		return elicense.E(elicense.NotFound, "数据目录里没有平台的数据").Then("请用--data指明数据目录").Because(err)
	}
	p, err := openPlatform(ctx, c.place, "", newLog(slog.LevelError), func(c *store.Config) { c.Inspect = true })
	if err != nil {
		return err
	}
	defer p.close()
	out := fsckOut{Problems: []oversight.Finding{}}
	out.Summary, err = oversight.Check(ctx, p.db, verification.NewFiles(p.trust, p.clock.Now), func(f oversight.Finding) {
		out.Problems = append(out.Problems, f)
	})
	if err != nil {
		return err
	}
	if err := writeLastFsck(c.Data, lastFsck{time.Now(), len(out.Problems)}); err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(out); err != nil {
			return err
		}
	} else {
		for _, f := range out.Problems {
			fmt.Println(f)
		}
		fmt.Println(out.Text())
	}
	if len(out.Problems) > 0 {
		return oversight.ErrFindings
	}
	return nil
}

// lastFsck is what the metrics tell of the last check.
type lastFsck struct {
	At       time.Time `json:"at"`
	Findings int       `json:"findings"`
}

const lastFsckFile = "last-fsck.json"

func writeLastFsck(dir string, l lastFsck) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return writeOnce(filepath.Join(dir, lastFsckFile), b)
}

func readLastFsck(dir string) (l lastFsck, err error) {
	b, err := os.ReadFile(filepath.Join(dir, lastFsckFile))
	if err != nil {
		return l, err
	}
	return l, json.Unmarshal(b, &l)
}
