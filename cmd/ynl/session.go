package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// session is one run of the command.
type session struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	dial           func(netlink.Family, ...client.Option) (*client.Conn, error)
	width          func(io.Writer) int // columns of a terminal, 0 if it is none

	netns   string // value of -netns
	capture string // value of -w
	failed  bool   // an error was reported
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is an error of the command line or of the JSON.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// run runs the command and returns its exit code.
func (s *session) run(ctx context.Context, args []string) int {
	err := s.command(ctx, args)
	s.report(err)
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case s.failed:
		return exitFailed
	}
	return exitOK
}

// report prints an error, and makes the command fail. A nil err is none.
func (s *session) report(err error) {
	if err == nil {
		return
	}
	s.failed = true
	fmt.Fprintln(s.stderr, "ynl: "+errorText(err))
}

// errorText returns the text of an error. Of an operation it has the names of the family
// and of the operation, then the cause.
func errorText(err error) string {
	text := err.Error()
	var refusal *wire.KernelError
	var failure *client.OpError
	switch {
	case errors.As(err, &refusal):
		text = strings.Replace(text, refusal.Error(), cause(refusal), 1)
	case errors.As(err, &failure) && err != error(failure):
		text = strings.Replace(text, failure.Error(), cause(failure), 1)
	}
	return strings.Replace(text, context.Canceled.Error(), "interrupted", 1)
}

// cause returns the text of an error of the core without "netlink: REQUEST: ".
func cause(err error) string {
	_, text, _ := strings.Cut(strings.TrimPrefix(err.Error(), "netlink: "), ": ")
	return text
}

// command runs the subcommand that the arguments name.
func (s *session) command(ctx context.Context, args []string) error {
	flags := s.newFlags("ynl")
	err := flags.Parse(args)
	switch {
	case err == flag.ErrHelp || err == nil && flags.Arg(0) == "help":
		_, err = io.WriteString(s.stdout, help(flags))
		return err
	case err != nil:
		return usagef("%v (ynl -h explains)", err)
	case flags.NArg() == 0:
		return usagef("which command? One of %s (ynl -h explains)", strings.Join(subcommandNames(), ", "))
	}
	for _, sub := range subcommands {
		if sub.name == flags.Arg(0) {
			return s.subcommand(ctx, sub, flags.Args()[1:])
		}
	}
	return usagef("no command %q%s (ynl -h explains)", flags.Arg(0), suggest(flags.Arg(0), subcommandNames()))
}

// subcommand parses the arguments of a subcommand and runs it.
func (s *session) subcommand(ctx context.Context, sub subcommand, args []string) error {
	flags := s.newFlags("ynl " + sub.name)
	run := sub.new(flags)
	words, err := parse(flags, args)
	switch {
	case err == flag.ErrHelp:
		_, err = io.WriteString(s.stdout, sub.helpText(flags))
		return err
	case err != nil:
		return usagef("%s: %v (ynl %s -h explains)", sub.name, err, sub.name)
	case len(words) < sub.least || len(words) > sub.most:
		return usagef("usage: %s (ynl %s -h explains)", sub.usage(), sub.name)
	}
	return run(ctx, s, words)
}

// newFlags returns a set of flags with those that the command and each subcommand have.
func (s *session) newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	flags.StringVar(&s.netns, "netns", s.netns, "the network `namespace`: a name as of ip netns, a path, or a process id")
	flags.StringVar(&s.capture, "w", s.capture, "write the netlink messages to this `file`, for Wireshark")
	return flags
}

// parse parses flags before, between and after the other arguments, and returns those.
func parse(flags *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
			return words, err
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
}
