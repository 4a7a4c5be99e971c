package all_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestNoInitialisation finds that the generated packages are constants: a program does no
// work for them when it starts. It compiles them for amd64, where the init function that a
// package has in any case is of one byte if it is empty.
func TestNoInitialisation(t *testing.T) {
	const ynl = "github.com/nlmux/netlink/ynl"
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %s: %v", strings.Join(args, " "), err)
		}
		return string(out)
	}
	n := 0
	for pkg := range strings.Lines(run("list", "-export", "-f", "{{.ImportPath}} {{.Export}}", ynl+"/...")) {
		path, file, _ := strings.Cut(strings.TrimSpace(pkg), " ")
		name := strings.TrimPrefix(path, ynl+"/")
		if name == path || name == "ynltest" || strings.Contains(name, "internal/") {
			continue
		}
		n++
		for symbol := range strings.Lines(run("tool", "nm", "-size", file)) {
			// Address, size, type and name.
			f := strings.Fields(symbol)
			if len(f) == 4 && strings.HasPrefix(f[3], path+".init") && !strings.Contains(f[3], ".init.func") && f[1] != "1" && f[2] == "T" {
				t.Errorf("%s has %s bytes of %s", path, f[1], f[3])
			}
		}
	}
	if n < 33 {
		t.Errorf("%d packages", n)
	}
}
