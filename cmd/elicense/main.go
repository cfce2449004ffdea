// Command elicense is the unified electronic license sharing platform of the
// Fujian Measures of 2017, in one binary: the server with its five desks and its
// API, the offline verifier, and the check of everything stored.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"elicense"
	"elicense/oversight"
)

type cli struct {
	Serve   serveCmd   `cmd:"" help:"Serve the desks and the API."`
	Init    initCmd    `cmd:"" help:"Make the first unit and its administrator on an empty platform."`
	Verify  verifyCmd  `cmd:"" help:"Check license files offline: are they genuine, and by whom sealed?"`
	Faces   facesCmd   `cmd:"" help:"Write one sealed sample of every license type the platform makes."`
	Bench   benchCmd   `cmd:"" help:"Measure on this machine."`
	Offline offlineCmd `cmd:"" help:"Make licenses on a machine without network, with a kit of the unit."`
	Fsck    fsckCmd    `cmd:"" help:"Check everything that is stored: records, events, states, seals, files."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var c cli
	k, err := kong.New(&c, kong.Name("elicense"), kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Description("Electronic licenses: issue, share, verify. Every flag can be given as an environment variable ELICENSE_…"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "elicense:", err)
		os.Exit(exitUsage)
	}
	args, err := k.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "elicense:", err)
		os.Exit(exitUsage)
	}
	os.Exit(exitCode(args.Run()))
}

// The exit codes: of verify and fsck, 1 means that something is not as it should
// be, 2 that the arguments can't be used.
const (
	exitFound = 1
	exitUsage = 2
)

// exit is an error that sets the exit code and has been told already.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func exitCode(err error) int {
	var code exit
	var e *elicense.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, oversight.ErrFindings):
		return exitFound
	case errors.As(err, &e):
		fmt.Fprintf(os.Stderr, "elicense: %s", e.Message())
		if e.Next != "" {
			fmt.Fprintf(os.Stderr, "。%s", e.Next)
		}
		fmt.Fprintln(os.Stderr)
	default:
		fmt.Fprintln(os.Stderr, "elicense:", err)
	}
	return exitFound
}

func newLog(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

type versionCmd struct{}

func (versionCmd) Run() error {
	fmt.Println("elicense", version())
	return nil
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
