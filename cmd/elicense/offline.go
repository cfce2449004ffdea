package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"elicense"
	"elicense/gm"
	"elicense/issuance"
	"elicense/offline"
	"elicense/web"
)

type offlineCmd struct {
	Serve  offlineServeCmd  `cmd:"" default:"withargs" help:"Make licenses at a page of this machine."`
	Make   offlineMakeCmd   `cmd:"" help:"Enter rows from a file and seal them."`
	List   offlineListCmd   `cmd:"" help:"List what was made."`
	Print  offlinePrintCmd  `cmd:"" help:"Write a sealed license as PDF, or as it is."`
	Clock  offlineClockCmd  `cmd:"" help:"Say why the machine's clock was put back."`
	Export offlineExportCmd `cmd:"" help:"Write the package that is imported at the platform."`
}

// Help is shown by --help.
func (offlineCmd) Help() string {
	return "Licenses are made with a kit of the unit, without network and without the platform (Art. 7(2)). " +
		"The PINs of its two officers are asked for, or read from ELICENSE_PIN_DRAFTER and ELICENSE_PIN_REVIEWER."
}

// station is the machine a kit is used at.
type station struct {
	Kit  string `required:"" help:"File of the kit." env:"ELICENSE_KIT" placeholder:"FILE"`
	Dir  string `required:"" help:"Folder for the rows, files and journal; made if it is not there." env:"ELICENSE_KIT_DIR" placeholder:"DIR"`
	Root string `help:"Root certificate (PEM) the kit must be signed under; without, only damage is found." env:"ELICENSE_ROOT" placeholder:"CERT.pem"`
}

// maxKit bounds the file of a kit in bytes: four fonts and what it says.
const maxKit = 512 << 20

func (c *station) open() (*offline.Station, error) {
	file, err := readBounded(c.Kit, maxKit)
	if err != nil {
		return nil, unusable(c.Kit, err)
	}
	var root *gm.Certificate
	if c.Root != "" {
		list, err := certificatesIn([]string{c.Root})
		if err != nil {
			return nil, err
		}
		if len(list) != 1 {
			return nil, unusable(c.Root, errors.New("want one certificate"))
		}
		root = list[0]
	}
	kit, err := offline.OpenKit(file, root, offline.FindFont)
	if err != nil {
		return nil, err
	}
	return offline.OpenStation(kit, c.Dir, machineNow)
}

// officer lets an officer in by his PIN.
func officer(ctx context.Context, s *offline.Station, role offline.Role) (*offline.Officer, error) {
	pin := os.Getenv(map[offline.Role]string{offline.Drafts: "ELICENSE_PIN_DRAFTER", offline.Reviews: "ELICENSE_PIN_REVIEWER"}[role])
	if pin == "" {
		var err error
		hand := s.Kit().Hand(role)
		if pin, err = newAsking(ctx, os.Stdin, os.Stderr).secret(role.Chinese() + "（" + hand.Name + "）的口令："); err != nil {
			return nil, err
		}
	}
	return s.Open(role, pin)
}

// at runs f at the station with an officer.
func (c *station) at(ctx context.Context, role offline.Role, f func(*offline.Station, *offline.Officer) error) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close()
	o, err := officer(ctx, s, role)
	if err != nil {
		return err
	}
	return f(s, o)
}

type offlineMakeCmd struct {
	station
	In     string `required:"" help:"Rows: JSON as POST /api/v1/completions takes, one or a list, or a table (CSV, xlsx) as a lot's." placeholder:"FILE"`
	Type   string `help:"License type of a table, if the kit has several." placeholder:"CODE"`
	Closed string `help:"Time of closing of a table's rows: 2026-11-24, 2026-11-24 15:04:05 (in Fujian), or RFC 3339. Now by default." placeholder:"TIME"`
	JSON   bool   `help:"Print what was made as JSON."`
}

// offlineRow is a completed case as POST /api/v1/completions takes it.
type offlineRow struct {
	Case      string               `json:"case"`
	Item      string               `json:"item,omitempty"`
	Type      elicense.TypeCode    `json:"licenseTypeCode"`
	Closed    time.Time            `json:"closedAt"`
	DocNo     string               `json:"documentNumber,omitempty"`
	Holders   []elicense.HolderRef `json:"holders"`
	Fields    map[string]string    `json:"fields"`
	IssuedOn  elicense.Date        `json:"issuedOn,omitempty"`
	ValidFrom elicense.Date        `json:"validFrom,omitempty"`
}

func (r *offlineRow) completion() issuance.Completion {
	return issuance.Completion{
		Case: r.Case, Item: r.Item, Type: r.Type, Closed: r.Closed, DocNo: r.DocNo, Holders: r.Holders, Fields: r.Fields, IssuedOn: r.IssuedOn, ValidFrom: r.ValidFrom,
	}
}

// entered is a row of a file, and what is wrong with it before it is entered.
type entered struct {
	line  int
	c     issuance.Completion
	wrong []string
}

// maxRows bounds a file of rows in bytes.
const maxRows = 32 << 20

// rows reads the rows to be made.
func (c *offlineMakeCmd) rows(k *offline.Kit) (list []entered, err error) {
	b, err := readBounded(c.In, maxRows)
	if err != nil {
		return nil, unusable(c.In, err)
	}
	if strings.EqualFold(filepath.Ext(c.In), ".json") {
		var many []offlineRow
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
			err = d.Decode(&many)
		} else {
			many = make([]offlineRow, 1)
			err = d.Decode(&many[0])
		}
		if err != nil {
			return nil, unusable(c.In, err)
		}
		for i := range many {
			list = append(list, entered{line: i + 1, c: many[i].completion()})
		}
		return list, nil
	}
	code := elicense.TypeCode(c.Type)
	if code == "" && len(k.Types) == 1 {
		code = k.Types[0].Code
	}
	t := k.Type(code)
	if t == nil {
		return nil, unusable("--type", elicense.E(elicense.Invalid, "工具包里有几类证照，要用--type指明一类"))
	}
	closed := machineNow()
	if c.Closed != "" {
		if closed, err = moment(c.Closed); err != nil {
			return nil, unusable("--closed", err)
		}
	}
	err = issuance.ReadCompletions(t, closed, bytes.NewReader(b), func(line int, x issuance.Completion, wrong []string) error {
		list = append(list, entered{line, x, wrong})
		return nil
	})
	return list, err
}

// madeRow is how a row came out, for scripts.
type madeRow struct {
	Line       int                 `json:"line,omitempty"`
	Number     int                 `json:"number,omitempty"`
	State      offline.RowState    `json:"state,omitempty"`
	Case       string              `json:"case"`
	Identifier elicense.Identifier `json:"licenseIdentifier,omitempty"`
	Code       elicense.CheckCode  `json:"code,omitempty"`
	Error      string              `json:"error,omitempty"`
	Next       string              `json:"next,omitempty"`
}

func madeFrom(m *offline.Made) madeRow {
	return madeRow{Number: m.Number, State: m.State, Case: m.Draft.Case, Identifier: m.Draft.Identifier, Code: m.Draft.Code}
}

// Run enters each row as the drafter and seals what was entered as the reviewer. A
// row that is refused is told and the others go on; exit 1 says that there was one.
func (c *offlineMakeCmd) Run(ctx context.Context) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := c.rows(s.Kit())
	if err != nil {
		return err
	}
	drafter, err := officer(ctx, s, offline.Drafts)
	if err != nil {
		return err
	}
	reviewer, err := officer(ctx, s, offline.Reviews)
	if err != nil {
		return err
	}
	if err := drafter.Begin(); err != nil {
		return err
	}
	out, bad := make([]madeRow, 0, len(list)), false
	for _, r := range list {
		row := madeRow{Line: r.line, Case: r.c.Case}
		err := elicense.E(elicense.Invalid, "%s", strings.Join(r.wrong, "；"))
		if len(r.wrong) == 0 {
			var m *offline.Made
			var entering error
			if m, entering = drafter.Enter(r.c); entering == nil {
				line := row.Line
				row = madeFrom(m)
				row.Line = line
				err = nil
			} else if !errors.As(entering, &err) {
				return entering
			}
		}
		if err != nil {
			row.Error, row.Next, bad = err.Message(), err.Next, true
		}
		out = append(out, row)
	}
	// What an earlier run entered and did not seal is sealed too.
	waiting, err := drafter.Rows()
	if err != nil {
		return err
	}
	for _, m := range waiting {
		if m.State == offline.RowEntered {
			if err := reviewer.Seal(m.Number); err != nil {
				return err
			}
		}
	}
	for i := range out {
		if out[i].Number > 0 {
			out[i].State = offline.RowSealed
		}
	}
	if err := printRows(out, c.JSON); err != nil {
		return err
	}
	if bad {
		return exit(exitFound)
	}
	return nil
}

func printRows(rows []madeRow, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(rows)
	}
	for _, r := range rows {
		switch {
		case r.Error != "" && r.Next != "":
			fmt.Printf("第%d行 %s：%s。%s\n", r.Line, r.Case, r.Error, r.Next)
		case r.Error != "":
			fmt.Printf("第%d行 %s：%s\n", r.Line, r.Case, r.Error)
		default:
			fmt.Printf("%4d %s %s %s\n", r.Number, r.State.Chinese(), r.Identifier, r.Case)
		}
	}
	return nil
}

type offlineListCmd struct {
	station
	JSON bool `help:"Print as JSON."`
}

// Run lists the rows of the folder.
func (c *offlineListCmd) Run(ctx context.Context) error {
	return c.at(ctx, offline.Drafts, func(_ *offline.Station, o *offline.Officer) error {
		list, err := o.Rows()
		if err != nil {
			return err
		}
		out := make([]madeRow, 0, len(list))
		for _, m := range list {
			out = append(out, madeFrom(m))
		}
		return printRows(out, c.JSON)
	})
}

type offlinePrintCmd struct {
	station
	Number int    `required:"" help:"Number of the row."`
	Out    string `required:"" help:"File to write: .pdf for paper, .ofd for the sealed file." placeholder:"FILE"`
}

// Run writes a sealed license.
func (c *offlinePrintCmd) Run(ctx context.Context) error {
	return c.at(ctx, offline.Drafts, func(_ *offline.Station, o *offline.Officer) error {
		make := o.Print
		if strings.EqualFold(filepath.Ext(c.Out), ".ofd") {
			make = o.File
		}
		b, err := make(c.Number)
		if err != nil {
			return err
		}
		return os.WriteFile(c.Out, b, 0o600)
	})
}

type offlineClockCmd struct {
	station
	Reason string `required:"" help:"Why the clock was put back."`
}

// Run notes why the clock was put back.
func (c *offlineClockCmd) Run(ctx context.Context) error {
	return c.at(ctx, offline.Drafts, func(_ *offline.Station, o *offline.Officer) error { return o.SetRight(c.Reason) })
}

type offlineExportCmd struct {
	station
	Out string `required:"" help:"File to write." placeholder:"FILE"`
}

// Run writes the package of all that was made.
func (c *offlineExportCmd) Run(ctx context.Context) error {
	return c.at(ctx, offline.Drafts, func(_ *offline.Station, o *offline.Officer) error {
		b, err := o.Export()
		if err != nil {
			return err
		}
		return os.WriteFile(c.Out, b, 0o600)
	})
}

type offlineServeCmd struct {
	station
	Listen string `help:"Address of the page; only this machine's own are taken. (${default})" default:"127.0.0.1:8701" placeholder:"HOST:PORT"`
}

// Run serves the page the officers work at, until it is stopped.
func (c *offlineServeCmd) Run(ctx context.Context) error {
	host, _, err := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return unusable("--listen", elicense.E(elicense.Invalid, "离线制证的页面只在本机打开：要用127.0.0.1或::1"))
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close()
	page, err := web.Station(s, machineNow)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("page of the station: %w", err)
	}
	fmt.Printf("离线制证：请在这台机器的浏览器里打开 http://%s/ （按Ctrl+C结束）\n", l.Addr())
	srv := &http.Server{Handler: page, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("page of the station: %w", err)
	case <-ctx.Done():
	}
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	return srv.Shutdown(end)
}
