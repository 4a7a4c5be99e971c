// Package wire reads and writes the bytes of netlink: messages, attributes and the
// kernel's acknowledgements. It does no I/O, so a capture can be decoded on any system
// that has a syscall.Errno: all except Plan 9.
//
// [Messages] iterates over the messages of a datagram and [Attrs] over the attributes
// after a family's header; [Message.Decode] and [NextAttr] are their single steps.
// [Decoder] reads attributes and keeps the first error. [Builder] encodes attributes
// and [AppendMessage] a message. [ParseAck] returns the kernel's refusal, if any;
// [ExtAck.Path] finds the wrong attribute.
//
// # Byte order
//
// Netlink uses the byte order of the machine, and so does this package. Only names that
// end in BE are big endian. A capture has to be decoded on a machine with the byte
// order of the one that made it.
//
// # Ownership
//
// Values that are read alias the buffer: a payload is valid until the buffer is
// overwritten. [Message.Clone] and [bytes.Clone] make copies to keep; [Attr.String],
// [Ack] and [KernelError] are copies already. Encoding copies the arguments;
// [Builder.Encode] says how long its result is valid.
//
// # Malformed input
//
// No input makes a function panic or read beyond its argument. Malformed bytes yield an
// error that wraps [ErrMalformed]. The iterators first yield everything before it and
// then end with the error.
//
// # Concurrency
//
// Functions and values may be used by any number of goroutines as long as none writes
// to the bytes. A [Builder] and a [Decoder] belong to one goroutine at a time.
package wire
