// Command audit compares what the generator makes packages of, and the names in the folder
// requests, with the kernel's C headers: the numbers of attributes and operations, the
// values of enumerations, the sizes of structs and the places of their members. A difference that known.go does not list is an
// error, and so is one listed there that is gone.
//
//	cd ynl/gen && go run ./audit -specs DIR [-include DIR]
//
// The headers are those of the C compiler (linux-libc-dev), or those in the folder of
// -include. Names that headers older than the specs lack are counted only.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

func main() {
	specs := flag.String("specs", "../../../shared/specs", "folder of the kernel's specs")
	release := flag.String("kernel", "7.2", "release of Linux that the specs are of")
	include := flag.String("include", "", "folder of the kernel's headers; empty for those of the compiler")
	cc := flag.String("cc", "cc", "the C compiler")
	only := flag.String("only", "", "names of specs with commas between them; all if empty")
	flag.Parse()
	if err := run(*specs, *release, compiler{*cc, *include}, *only); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(specs, release string, c compiler, only string) error {
	var names []string
	if only != "" {
		names = strings.Split(only, ",")
	}
	families, err := spec.Load(specs, "specs", "overlay", names...)
	if err != nil {
		return err
	}
	if only == "" {
		undescribed, err := spec.Load("", "requests", "")
		if err != nil {
			return err
		}
		families = append(families, undescribed...)
	}
	headers, err := c.release()
	if err != nil {
		return err
	}
	older, err := lessRelease(headers, release)
	if err != nil {
		return err
	}
	var claims []claim
	for _, f := range families {
		claims = append(claims, claimsOf(f)...)
	}
	if err := c.check(claims); err != nil {
		return err
	}
	r := report{older: older, whole: only == "", known: slices.Sorted(maps.Keys(known)), seen: map[string]bool{}}
	for _, c := range claims {
		r.add(c)
	}
	return r.finish(len(families), headers)
}

// A report says which claims do not hold, and counts the others.
type report struct {
	older bool // the headers are older than the specs
	whole bool // all families are in the report

	known               []string
	seen                map[string]bool
	held, listed, newer int
	faults              []string
}

// add takes note of a claim that was checked.
func (r *report) add(c claim) {
	_, older := lookUp(grown, c.what)
	item, listed := lookUp(r.known, c.what)
	switch {
	case c.verdict == holds:
		r.held++
	case listed:
		r.seen[item] = true
		r.listed++
	case c.verdict == absent && r.older, r.older && older:
		r.newer++
	default:
		r.faults = append(r.faults, fmt.Sprintf("%s: %s %s", c.where, c.what, c.verdict))
	}
}

// finish prints the counts, and returns an error if something is not as it should be.
func (r *report) finish(families int, headers string) error {
	if r.whole && !r.older {
		for _, item := range r.known {
			if !r.seen[item] {
				r.faults = append(r.faults, fmt.Sprintf("known.go: %s (%s) is no difference any more", item, known[item]))
			}
		}
	}
	fmt.Printf("%d families, headers of Linux %s: %d as in the headers, %d listed differences, %d newer than the headers, %d faults\n",
		families, headers, r.held, r.listed, r.newer, len(r.faults))
	if len(r.faults) == 0 {
		return nil
	}
	return fmt.Errorf("%s\naudit: %d faults", strings.Join(r.faults, "\n"), len(r.faults))
}
