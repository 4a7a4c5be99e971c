package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nlmux/netlink/ynl"
)

const opsHelp = `Prints each operation of a family and how it is requested: by "ynl do", by "ynl dump" or
by both. An "event" is none of these: "ynl watch" prints it. After that is the capability that
a request needs.

With OP it prints the names that the JSON of that operation may have: of the request and of
the reply, those of a nest below it. What comes again is described where it comes first. A
request is to have what the kernel needs for it, which is rarely all. What is read-only the
kernel reports, and a request is to leave out. The example shows the form of a request.

Examples:
  ynl ops rt-link
  ynl ops rt-link newlink | less
  ynl ops -json nftables
  ynl ops -json nlctrl getfamily
`

// operations has the flags of the subcommand.
type operations struct{ json bool }

func newOps(flags *flag.FlagSet) action {
	o := new(operations)
	flags.BoolVar(&o.json, "json", false, "print JSON, a value a line")
	return o.run
}

func (o *operations) run(_ context.Context, s *session, args []string) error {
	f, err := findFamily(args[0])
	if err != nil {
		return err
	}
	list := byName(f.Ops())
	if len(args) > 1 {
		op, err := findNamed(f, list, args[1])
		if err != nil {
			return err
		}
		op.describe()
		if !o.json {
			return writeOp(s.stdout, f, op, s.width(s.stdout))
		}
		list = []*namedOp{op}
	}
	if o.json {
		return writeOps(s.stdout, list)
	}
	var rows [][]string
	for _, op := range list {
		rows = append(rows, []string{op.Name, strings.Join(op.Modes, " "), op.Privilege})
	}
	return writeAligned(s.stdout, rows, noNumbers)
}

// namedOp is what the operations of one name can do.
type namedOp struct {
	Name      string          `json:"name"`
	Modes     []string        `json:"modes"` // "do", "dump", "event"
	Privilege string          `json:"privilege,omitempty"`
	Request   []ynl.Field     `json:"request,omitempty"`
	Reply     []ynl.Field     `json:"reply,omitempty"`
	Example   json.RawMessage `json:"example,omitempty"`

	ops []*ynl.Op
}

// byName joins operations of the same name, in the order of the list.
func byName(list []*ynl.Op) (named []*namedOp) {
	index := make(map[string]*namedOp)
	for _, op := range list {
		o := index[op.Name()]
		if o == nil {
			o = &namedOp{Name: op.Name(), Privilege: op.Privilege()}
			index[o.Name] = o
			named = append(named, o)
		}
		o.ops = append(o.ops, op)
		if op.CanDo() {
			o.Modes = append(o.Modes, "do")
		}
		if op.CanDump() {
			o.Modes = append(o.Modes, "dump")
		}
		if op.Request() == 0 {
			o.Modes = append(o.Modes, "event")
		}
	}
	return named
}

// findNamed returns the operation of a name.
func findNamed(f *ynl.Family, list []*namedOp, name string) (*namedOp, error) {
	var names []string
	for _, op := range list {
		if op.Name == name {
			return op, nil
		}
		names = append(names, op.Name)
	}
	return nil, noOperation(f.Name(), name, names)
}

// describe fills in the fields of the request and the reply. Those of one name that are
// requested in different modes have the same.
func (o *namedOp) describe() {
	for _, op := range o.ops {
		if o.Request == nil {
			o.Request = op.RequestFields()
		}
		if o.Reply == nil {
			o.Reply = op.ReplyFields()
		}
	}
	if o.Request != nil {
		o.Example = example(o.Request)
	}
}

// sameReply reports whether a reply has the fields of the request.
func (o *namedOp) sameReply() bool { return o.ops[0].Row.ReplySet == 0 }

// writeOps writes a line of JSON for each operation.
func writeOps(w io.Writer, list []*namedOp) error {
	e := json.NewEncoder(w)
	for _, op := range list {
		if err := e.Encode(op); err != nil {
			return err
		}
	}
	return nil
}

// writeOp writes what a person needs for an operation. width is that of the terminal, 0 if
// there is none.
func writeOp(w io.Writer, f *ynl.Family, op *namedOp, width int) error {
	p := newFieldPrinter(width)
	p.paragraph(0, strings.TrimSuffix(fmt.Sprintf("%s %s: %s, %s", f.Name(), op.Name, strings.Join(op.Modes, " and "), op.Privilege), ", "))
	switch {
	case op.Request == nil:
		p.heading("Event", op.Reply)
	case op.Reply == nil:
		p.heading("Request, which is acknowledged only", op.Request)
	case op.sameReply():
		p.heading("Request and reply", op.Request)
	default:
		p.heading("Request", op.Request)
		p.heading("Reply", op.Reply)
	}
	if op.Example != nil {
		p.example(op.command(f), op.Example)
	}
	_, err := io.WriteString(w, p.text.String())
	return err
}

// command returns the command line that requests the operation, without its JSON.
func (o *namedOp) command(f *ynl.Family) string {
	command := dumpMode.command
	if slices.Contains(o.Modes, doMode.command) {
		command = doMode.command
		if strings.HasPrefix(o.Name, "new") {
			command += " -create"
		}
	}
	return fmt.Sprintf("ynl %s %s %s", command, f.Name(), o.Name)
}
