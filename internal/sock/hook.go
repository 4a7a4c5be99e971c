package sock

// ClientOption returns a client.Option that has a Conn open its sockets with open. Package
// client sets it, and package nltest puts a scripted kernel under a Conn with it. So the
// hook is not a part of client's documentation.
var ClientOption func(open func(Config) (Socket, error)) any
