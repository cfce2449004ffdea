package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"elicense"
	"elicense/httpapi"
	"elicense/org"
)

type initCmd struct {
	place
	UnitCode   string `required:"" help:"Credit code of the e-government administration (GB 32100)." placeholder:"CODE"`
	UnitName   string `required:"" help:"Its name." placeholder:"NAME"`
	Region     string `help:"Its region (GB/T 2260). (${default})" default:"350000" placeholder:"CODE"`
	RegionName string `help:"The name of the region. (${default})" default:"福建省" placeholder:"NAME"`
	Name       string `required:"" help:"Name of the administrator." placeholder:"NAME"`
	Login      string `help:"What he signs in by. (${default})" default:"admin" placeholder:"LOGIN"`
}

// Help is shown by --help.
func (initCmd) Help() string {
	return "The administrator's identity number and password are asked for, or read from standard input as two lines; " +
		"neither is a flag, since arguments can be read by everybody on the machine. It works once, on a platform without units and accounts."
}

// Run makes the first unit and its administrator.
func (c *initCmd) Run(ctx context.Context) error {
	in := newAsking(ctx, os.Stdin, os.Stdout)
	number, err := in.line("管理员的公民身份号码：")
	if err != nil {
		return err
	}
	password, err := in.secret("密码：")
	if err != nil {
		return err
	}
	if in.terminal {
		again, err := in.secret("再输一次密码：")
		if err != nil {
			return err
		}
		if again != password {
			return elicense.E(elicense.Invalid, "两次输入的密码不一样").Then("请重新运行")
		}
	}
	p, err := openPlatform(ctx, c.place, "", newLog(slog.LevelError))
	if err != nil {
		return err
	}
	defer p.close()
	err = p.org.Begin(ctx, org.Unit{
		Code: elicense.UnitCode(c.UnitCode), Short: "egov", Name: c.UnitName, Region: elicense.RegionCode(c.Region), RegionName: c.RegionName,
	}, org.Staff{Login: c.Login, Secret: password, Name: c.Name, Person: elicense.HolderRef{Code: number}}, httpapi.NewRequestID(time.Now()))
	if err != nil {
		return err
	}
	fmt.Printf("已建立%s和管理员%s。请运行elicense serve，用登录名%s登录管理台。\n", c.UnitName, c.Name, c.Login)
	return nil
}

// asking asks for what must not be an argument.
type asking struct {
	ctx      context.Context // ends with Ctrl-C
	file     *os.File
	lines    *bufio.Reader
	out      io.Writer
	terminal bool
}

func newAsking(ctx context.Context, in *os.File, out io.Writer) *asking {
	a := &asking{ctx: ctx, file: in, lines: bufio.NewReader(in), out: out}
	if s, err := in.Stat(); err == nil {
		a.terminal = s.Mode()&os.ModeCharDevice != 0
	}
	return a
}

func (a *asking) line(prompt string) (string, error) {
	if a.terminal {
		fmt.Fprint(a.out, prompt)
	}
	var s string
	var err error
	read := make(chan struct{})
	go func() {
		s, err = a.lines.ReadString('\n')
		close(read)
	}()
	select {
	case <-read:
	case <-a.ctx.Done(): // the terminal must show typing again before the program ends
		return "", elicense.E(elicense.Unavailable, "没有办理：输入被中断").Then("请重新运行")
	}
	if errors.Is(err, io.EOF) && s != "" {
		err = nil
	}
	if err != nil {
		return "", elicense.E(elicense.Invalid, "没有读到管理员的身份号码和密码").Then("请从标准输入给出两行，或在终端里运行").Because(err)
	}
	return strings.TrimRight(s, "\r\n"), nil
}

// secret reads a line that is not shown while it is typed.
func (a *asking) secret(prompt string) (string, error) {
	if !a.terminal {
		return a.line(prompt)
	}
	show, err := hideTyping(a.file)
	if err != nil {
		return "", elicense.E(elicense.Unavailable, "这个终端不能隐藏输入的密码").Then("请从标准输入给出身份号码和密码两行").Because(err)
	}
	s, err := a.line(prompt)
	show()
	fmt.Fprintln(a.out)
	return s, err
}
