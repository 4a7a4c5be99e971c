package ynl

// Explain returns the error of a raw request that failed with err.
func Explain(op *Op, payload []byte, err error) error {
	r := request{op: op, payload: payload}
	return r.explain(err)
}
