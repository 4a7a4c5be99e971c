package main

// redialer opens a connection for each request and closes it after the answer.
type redialer struct {
	Client // nil: the work has one kind of request

	dial func() (Client, error)
}

func dialEachTime(e *Entry) (Client, error) { return &redialer{dial: e.Dial}, nil }

func (r *redialer) GetLink(payload []byte) ([]byte, error) {
	c, err := r.dial()
	if err != nil {
		return nil, err
	}
	b, err := c.GetLink(payload)
	if closeErr := c.Close(); err == nil {
		err = closeErr
	}
	return b, err
}

func (r *redialer) Close() error { return nil }
