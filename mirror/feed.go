package mirror

const (
	chunkSize = 64 << 10
	chunks    = 4
)

// feed hands the messages of a dump to a goroutine of its own, so that the kernel makes
// the next ones meanwhile.
type feed struct {
	chunk      group // of messages
	full, free chan group
	done       chan struct{}
}

// newFeed returns a feed that calls take with each message, in order. The message is
// valid until take returns.
func newFeed(take func(payload []byte)) *feed {
	f := &feed{full: make(chan group, chunks), free: make(chan group, chunks), done: make(chan struct{})}
	for range chunks - 1 {
		f.free <- nil
	}
	go f.run(take)
	return f
}

func (f *feed) run(take func(payload []byte)) {
	defer close(f.done)
	var list [][]byte
	for chunk := range f.full {
		list = chunk.appendTo(list[:0])
		for _, payload := range list {
			take(payload)
		}
		f.free <- chunk[:0]
	}
}

// put copies a message.
func (f *feed) put(payload []byte) {
	if len(f.chunk) > 0 && len(f.chunk)+recordHeader+len(payload) > chunkSize {
		f.full <- f.chunk
		f.chunk = <-f.free
	}
	if f.chunk == nil {
		f.chunk = make(group, 0, chunkSize)
	}
	f.chunk = appendRecord(f.chunk, payload)
}

// close returns when all messages were taken.
func (f *feed) close() {
	f.full <- f.chunk
	close(f.full)
	<-f.done
}
