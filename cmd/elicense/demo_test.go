package main

import (
	"context"
	"log/slog"
	"testing"

	"elicense/oversight"
	"elicense/verification"
)

// TestDemoLoads loads the whole demo through the functions of the desks and
// checks everything that came of it.
func TestDemoLoads(t *testing.T) {
	ctx := context.Background()
	p, err := openPlatform(ctx, place{Data: t.TempDir()}, "http://localhost:8080", slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := p.loadDemo(ctx); err != nil {
		t.Fatal(err)
	}
	sum, err := oversight.Check(ctx, p.db, verification.NewFiles(p.trust, p.clock.Now), func(f oversight.Finding) { t.Error(f) })
	if err != nil {
		t.Fatal(err)
	}
	t.Log(sum.Text())
	if sum.Licenses < 300 || sum.Files < 200 {
		t.Errorf("the demo has %d licenses and %d files", sum.Licenses, sum.Files)
	}
}
