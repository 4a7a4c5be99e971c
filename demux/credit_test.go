package demux

import (
	"errors"
	"testing"

	"github.com/nlmux/netlink"
)

// The tests of this file are about the credit for answers.

// creditTest is a table with a credit of 10.
type creditTest struct {
	*testing.T
	table *Table
}

func newCreditTest(t *testing.T) creditTest {
	return creditTest{t, New(netlink.NETLINK_ROUTE, port, 1000, 10, nothingDropped)}
}

func callWith(credit int64) *Call {
	c := NewCall()
	c.Credit = credit
	return c
}

// open opens a call, or fails if there is no credit.
func (a creditTest) open(credit int64) *Call {
	a.Helper()
	c := callWith(credit)
	if err := a.table.Open(c); err != nil {
		a.Fatalf("%d of %d: %v", credit, a.table.credit, err)
	}
	return c
}

// queued is a call that waits for credit.
func (a creditTest) queued(credit int64) *Call {
	a.Helper()
	c := callWith(credit)
	if a.table.Reserve(c) {
		a.Fatalf("reserved %d, %d are left", credit, a.table.credit)
	}
	return c
}

// want checks which calls have a reservation, and that only these were woken.
func (a creditTest) want(reserved bool, calls ...*Call) {
	a.Helper()
	for i, c := range calls {
		select {
		case <-c.Woken():
			if !reserved {
				a.Errorf("call %d was woken", i)
			}
		default:
			if reserved {
				a.Errorf("call %d was not woken", i)
			}
		}
		if a.table.Reserve(c) != reserved {
			a.Errorf("call %d: reserved = %t", i, !reserved)
		}
	}
}

// Credit goes to those that wait in their order, even if a later one needs less.
func TestCreditIsGivenInOrder(t *testing.T) {
	a := newCreditTest(t)
	x, y := a.open(6), a.open(3)
	large, small, last := a.queued(8), a.queued(1), a.queued(2)
	if err := a.table.Open(callWith(1)); err != ErrNoCredit {
		t.Errorf("opened before those that wait: %v", err)
	}
	a.table.Withdraw(y)
	a.want(false, large, small, last)
	a.table.Reject(x, x.Seq, errors.New("not sent"))
	a.want(true, large, small)
	a.want(false, last)
	if err := a.table.Open(large); err != nil {
		t.Fatal(err)
	}
	a.table.Conclude([]*Call{large}, []uint32{large.Seq})
	a.want(true, last)
	for _, c := range []*Call{small, last} {
		a.table.Unreserve(c)
	}
	if a.table.credit != 10 {
		t.Errorf("%d of 10 are free", a.table.credit)
	}
}

// A call that stops waiting does not block those after it.
func TestUnreserve(t *testing.T) {
	a := newCreditTest(t)
	x := a.open(9)
	large, small := a.queued(5), a.queued(1)
	a.table.Unreserve(large)
	a.want(true, small)
	next := a.queued(1)
	a.table.Unreserve(small)
	a.want(true, next)
	a.table.Unreserve(next)
	a.table.Unreserve(callWith(3)) // which has reserved nothing
	if a.table.credit != 1 {
		t.Errorf("%d are free, want 1", a.table.credit)
	}
	if a.table.Withdraw(x); a.table.credit != 10 {
		t.Errorf("%d are free, want 10", a.table.credit)
	}
}

// When the table has failed, the calls that wait learn it from Open, one after the other.
func TestFailWakesThoseThatWaitForCredit(t *testing.T) {
	a := newCreditTest(t)
	a.open(10)
	first, second := a.queued(7), a.queued(7)
	down := errors.New("down")
	a.table.Fail(down)
	for _, c := range []*Call{first, second} {
		a.want(true, c)
		if err := a.table.Open(c); err != down {
			t.Errorf("got %v, want %v", err, down)
		}
	}
	if a.table.credit != 10 || a.table.Stats().Pending != 0 {
		t.Errorf("%d of 10 are free, counts %+v", a.table.credit, a.table.Stats())
	}
}
