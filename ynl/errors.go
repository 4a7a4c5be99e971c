package ynl

import (
	"errors"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// ErrNoReply reports that the kernel acknowledged a request and did not reply to it.
var ErrNoReply = errors.New("no reply")

// Errors of invalid arguments.
var (
	errNilContext = errors.New("nil context")
	errNilConn    = errors.New("nil Conn")
	errNoFamilies = errors.New("no families")
)

// callError is the failure of an operation. The family, the operation and the cause are
// in its text.
type callError struct {
	family *table.Family
	op     string
	err    error

	notSent bool // the result of [client.NotSent]
	retries int  // the number of times that an interrupted dump may be repeated
}

func (e *callError) Error() string { return e.family.Name + " " + e.op + ": " + e.err.Error() }

func (e *callError) Unwrap() error { return e.err }

func (e *callError) NotSent() bool { return e.notSent }

// sent returns the error of a call that failed after its request may have been sent.
func (o *Op) sent(err error) *callError {
	return &callError{family: o.Family, op: o.Row.Name, err: err, notSent: client.NotSent(err)}
}

// unsent returns the error of a call that failed before its request was sent.
func (o *Op) unsent(err error) *callError {
	return &callError{family: o.Family, op: o.Row.Name, err: err, notSent: true}
}
