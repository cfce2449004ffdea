package store_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"elicense/store"
)

type someContent struct {
	Name   string            `json:"name"`
	Fields map[string]string `json:"fields"`
	ID     [16]byte          `json:"id"`
	Digest []byte            `json:"digest"`
	List   []string          `json:"list,omitempty"`
	At     time.Time         `json:"at"`
	Inner  *someContent      `json:"inner,omitempty"`
}

func TestContentComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := someContent{
			Name: rapid.String().Draw(t, "name"), Fields: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "fields"),
			Digest: rapid.SliceOf(rapid.Byte()).Draw(t, "digest"), At: time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "at")).UTC(),
			Inner: &someContent{Name: "\xff"}, // not text, and not lost
		}
		copy(want.ID[:], want.Digest)
		b, err := store.EncodeContent(want)
		if err != nil {
			t.Fatal(err)
		}
		var got someContent
		if err := store.DecodeContent(b, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}
	})
}

func TestContentOfBeforeIsRead(t *testing.T) {
	var got someContent
	err := store.DecodeContent([]byte(`{"name":"福州市","fields":{"a":"b"},"digest":"AAE=","at":"2026-03-01T00:00:00Z"}`), &got)
	want := someContent{Name: "福州市", Fields: map[string]string{"a": "b"}, Digest: []byte{0, 1}, At: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v", got, err)
	}
	for _, bad := range []string{"", "{", "\xa1", "[]"} {
		if err := store.DecodeContent([]byte(bad), &got); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
