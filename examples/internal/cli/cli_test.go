//go:build linux

package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nlmux/netlink/examples/internal/program"
)

func TestMain(m *testing.M) {
	program.Main(main)
	os.Exit(m.Run())
}

// main is an example that fails with its argument. Without one it waits for Ctrl-C.
func main() {
	n := flag.Int("n", 0, "a number")
	Command{
		Name:    "demo",
		Args:    "[-n N] [ERROR]",
		About:   "demo fails.",
		MaxArgs: 1,
		Valid:   func() bool { return *n >= 0 },
		Run: func(ctx context.Context) error {
			switch flag.Arg(0) {
			case "", "finish":
				fmt.Println("waiting")
				<-ctx.Done()
				return fmt.Errorf("waiting: %w", ctx.Err())
			case "nothing":
				return nil
			}
			return errors.New(flag.Arg(0))
		},
		MustFinish: slices.Contains(os.Args, "finish"),
	}.Main()
}

func TestUsage(t *testing.T) {
	usage := "demo fails.\n\nUsage: demo [-n N] [ERROR]\n\n  -n int\n    \ta number\n"
	for args, want := range map[string]int{"-h": 0, "-no-such-flag": 2, "one two": 2, "-n=-1": 2} {
		stdout, stderr, code := program.Start(t, nil, strings.Fields(args)...).Wait()
		if code != want || !strings.HasSuffix(stderr, usage) || strings.TrimSpace(stdout) != "" {
			t.Errorf("%s: exit code %d, want %d; output %q, %q", args, code, want, stdout, stderr)
		}
	}
}

func TestError(t *testing.T) {
	program.Start(t, nil, "nothing").WantDone()
	for _, arg := range []string{"no room", "demo: no room"} {
		if text := program.Start(t, nil, arg).WantRefusal("no room"); text != "demo: no room" {
			t.Errorf("%q: %q", arg, text)
		}
	}
}

func TestInterrupt(t *testing.T) {
	p := program.Start(t, nil)
	p.Await("waiting")
	p.Interrupt()
	p.WantDone()

	p = program.Start(t, nil, "finish")
	p.Await("waiting")
	p.Interrupt()
	p.WantRefusal("waiting: context canceled")
}
