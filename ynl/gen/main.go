// Command gen writes the packages of ynl from the specs of netlink families in a kernel
// tree, from specs of our own, and from the overlays that correct both. README.md
// describes the overlays.
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// release is the release of Linux that the generated packages are of.
const release = "7.2"

func main() {
	specs := flag.String("specs", "../../../shared/specs", "folder of the kernel's specs")
	kernel := flag.String("kernel", release, "release of Linux that the specs are of")
	out := flag.String("out", "..", "folder of the packages")
	only := flag.String("only", "", "names of specs with commas between them; all if empty")
	flag.Parse()
	if err := run(*specs, *kernel, *out, *only); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(specs, kernel, out, only string) error {
	var names []string
	if only != "" {
		names = strings.Split(only, ",")
	}
	generated, err := generateAll(specs, kernel, names)
	if err != nil {
		return err
	}
	return write(out, generated)
}

// generateAll returns the files of all families, or of those that only names, by path.
func generateAll(specs, kernel string, only []string) (map[string][]byte, error) {
	families, err := spec.Load(specs, "specs", "overlay", only...)
	if err != nil {
		return nil, err
	}
	generated := map[string][]byte{}
	var names []string
	var errs []error
	for _, f := range families {
		model, err := generate(f, kernel)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list, err := files(model)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		maps.Copy(generated, list)
		names = append(names, model.Package)
	}
	if len(only) == 0 {
		slices.Sort(names)
		src, err := all(names)
		generated["all/all.go"], errs = src, append(errs, err)
		src, err = kernelNamesFile(families, "requests")
		generated[namesFile], errs = src, append(errs, err)
	}
	return generated, errors.Join(errs...)
}

// all returns the file of package all.
func all(names []string) ([]byte, error) {
	for _, name := range names {
		if path := module + "/ynl/" + name; !slices.Contains(packages, path) {
			packages = append(packages, path)
		}
	}
	return file("all.go", names)
}
