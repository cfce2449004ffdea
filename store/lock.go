package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"elicense"
)

// lockDir takes the data directory for this process. The lock ends with the
// process, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unavailable(err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, elicense.E(elicense.Conflict, "数据目录已被另一个进程使用，不能同时打开").
			Then("请先停止正在运行的进程，或换用另一个数据目录").Because(err)
	}
	return nil, unavailable(err)
}

// goroutine returns the number of the calling goroutine, from the first line of
// its stack trace ("goroutine 17 [running]").
func goroutine() uint64 {
	var buf [32]byte
	line := buf[len("goroutine "):runtime.Stack(buf[:], false)]
	if i := bytes.IndexByte(line, ' '); i > 0 {
		line = line[:i]
	}
	n, _ := strconv.ParseUint(string(line), 10, 64) // the runtime's own text
	return n
}
