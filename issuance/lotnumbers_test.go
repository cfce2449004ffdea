package issuance

import (
	"fmt"
	"testing"
)

// TestNumberTable knows each number's first line, however many there are.
func TestNumberTable(t *testing.T) {
	var table numberTable
	name := func(n int) uint64 { return digestOf(fmt.Sprint("JY1350102", n)) }
	const many = 20_000
	for n := 1; n <= many; n++ {
		if line := table.line(name(n)); line != 0 {
			t.Fatalf("number %d stood on line %d before it came", n, line)
		}
		if err := table.put(name(n), n); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n <= many; n++ {
		if line := table.line(name(n)); line != n {
			t.Fatalf("number %d is on line %d", n, line)
		}
	}
	if line := table.line(name(0)); line != 0 {
		t.Errorf("a number that never came is on line %d", line)
	}
	if err := table.close(); err != nil {
		t.Error(err)
	}
	if line := table.line(name(1)); line != 0 {
		t.Errorf("a closed table knows line %d", line)
	}
}
