package verification_test

import (
	"bytes"
	"errors"
	"testing"

	"elicense"
	"elicense/e2e/world"
)

func TestAnyoneChecksByCodeOrFileNeverByIdentifier(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := w.Publish(t, w.Completion("1"))
		a, err := w.Verifier.ByCode(t.Context(), elicense.Anyone("r"), "here", d.Code)
		if err != nil || a.Status != elicense.StatusValid || a.Issuer != "福州市鼓楼区市场监督管理局" || a.ReceiptOf == "" {
			t.Errorf("by code: %+v, %v", a, err)
		}
		for _, guess := range []string{string(d.Identifier), string(d.License), "JY1", "", "00000000000000000000000000", "'; DROP TABLE license; --"} {
			if _, err := w.Verifier.ByCode(t.Context(), elicense.Anyone("r"), "here", elicense.CheckCode(guess)); !elicense.IsKind(err, elicense.NotFound) {
				t.Errorf("guessing %q: %v", guess, err)
			}
		}
		file, _, err := w.Sharing.File(t.Context(), w.Holder, d.License, false)
		if err != nil {
			t.Fatal(err)
		}
		a, err = w.Verifier.ByFile(t.Context(), elicense.Anyone("r"), "here", file)
		if err != nil || a.Verdict != "genuine" || !a.SameFile || a.Status != elicense.StatusValid {
			t.Errorf("by file: %+v, %v", a, err)
		}
		for name, broken := range map[string][]byte{
			"empty": nil, "text": []byte("不是文件"), "half": file[:len(file)/2], "zeros": bytes.Repeat([]byte{0}, 4096),
		} {
			a, err := w.Verifier.ByFile(t.Context(), elicense.Anyone("r"), "here", broken)
			if err != nil || a.Verdict == "genuine" || a.Known {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		}
	})
}

func TestTooManyChecksFromOnePlace(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		var last error
		for range 61 {
			_, last = w.Verifier.ByCode(t.Context(), elicense.Anyone("r"), "there", elicense.NewCheckCode())
		}
		var e *elicense.Error
		if !errors.As(last, &e) || e.Kind != elicense.TooMany {
			t.Errorf("the 61st check in a minute: %v", last)
		}
		if _, err := w.Verifier.ByCode(t.Context(), elicense.Anyone("r"), "elsewhere", elicense.NewCheckCode()); !elicense.IsKind(err, elicense.NotFound) {
			t.Errorf("another place: %v", err)
		}
	})
}
