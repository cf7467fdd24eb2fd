// The server of the Go textbook: a goroutine per connection, a deadline before every call,
// and a second goroutine per connection with a ticker that probes.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"net"
	"time"
)

const (
	readDeadline  = 60 * time.Second
	writeDeadline = 10 * time.Second
)

func main() {
	address := flag.String("address", "127.0.0.1:7007", "where to listen")
	interval := flag.Duration("interval", 15*time.Second, "time between probes")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(connection, *interval)
	}
}

func echo(connection net.Conn, interval time.Duration) {
	defer connection.Close()
	done := make(chan struct{})
	defer close(done)
	go probe(connection, interval, done)
	buffer := make([]byte, 4096)
	for {
		connection.SetReadDeadline(time.Now().Add(readDeadline))
		read, err := connection.Read(buffer)
		if err != nil {
			return
		}
		received := buffer[:read]
		if bytes.HasPrefix(received, []byte("PONG")) {
			continue
		}
		connection.SetWriteDeadline(time.Now().Add(writeDeadline))
		if _, err := connection.Write(received); err != nil {
			return
		}
	}
}

func probe(connection net.Conn, interval time.Duration, done <-chan struct{}) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for number := 1; ; number++ {
		select {
		case <-done:
			return
		case <-ticker.C:
			connection.SetWriteDeadline(time.Now().Add(writeDeadline))
			if _, err := fmt.Fprintf(connection, "PING %d\n", number); err != nil {
				return
			}
		}
	}
}
