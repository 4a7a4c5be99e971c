// Package wire reads and writes the bytes of netlink: messages, attributes and
// the kernel's acknowledgements. It does no I/O, so a capture can be decoded on
// any system that has a syscall.Errno, which is every one but Plan 9.
//
// [Messages] walks the messages of a datagram and [Attrs] the attributes behind
// a family's header; [Message.Decode] and [NextAttr] are single steps of the two.
// [Decoder] reads attributes without an error to check for each. [Builder]
// encodes them and [AppendMessage] a message. [ParseAck] tells whether the kernel
// refused a request, and why; [ExtAck.Path] finds the attribute that was wrong.
//
// # Byte order
//
// Netlink is spoken within one machine, in its own byte order, and so is
// everything here. Only what is named BE is big endian. A capture has to be
// decoded on a machine of the order that it was made on.
//
// # Ownership
//
// What is read aliases the buffer: a payload or a value is valid as long as the
// buffer is left alone. [Message.Clone] and [bytes.Clone] make copies to keep;
// [Attr.String], [Ack] and [KernelError] are copies already. What is encoded is
// copied from the arguments; [Builder.Encode] says how long its result lasts.
//
// # Malformed input
//
// No input makes a function panic or read beyond its argument. What cannot be
// read gives an error that wraps [ErrMalformed], and the iterators end with it,
// having yielded all that came before.
//
// # Concurrency
//
// Functions and values may be used by any number of goroutines as long as
// nobody writes to the bytes. A [Builder] and a [Decoder] belong to one goroutine
// at a time.
package wire
