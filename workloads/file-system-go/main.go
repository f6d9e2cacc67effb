// Command file-system serves WAV files from one folder over HTTP, and accepts uploads when told to.
// Called as `probe URL` it is a health check instead: the image holds nothing else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const stopGrace = 8 * time.Second // below Docker's default stop timeout of 10 s

type config struct {
	listen   string
	data     string
	sample   bool
	upload   bool
	maxBytes int64
}

// parse reads flags, whose defaults come from the environment. It names the variable that cannot be read.
func parse(args []string, getenv func(string) string) (config, error) {
	var c config
	flags := flag.NewFlagSet("file-system", flag.ContinueOnError)
	flags.StringVar(&c.listen, "listen", ":8000", "address to listen on (LISTEN)")
	flags.StringVar(&c.data, "data", "/data", "folder with the WAV files (DATA_DIR)")
	flags.BoolVar(&c.sample, "sample", true, "write sample.wav when the folder is empty (SAMPLE)")
	flags.BoolVar(&c.upload, "upload", false, "allow PUT /files/{name} (UPLOAD)")
	flags.Int64Var(&c.maxBytes, "max-bytes", 200<<20, "largest upload in bytes (MAX_BYTES)")
	for name, variable := range map[string]string{
		"listen": "LISTEN", "data": "DATA_DIR", "sample": "SAMPLE", "upload": "UPLOAD", "max-bytes": "MAX_BYTES",
	} {
		if value := getenv(variable); value != "" {
			if err := flags.Set(name, value); err != nil {
				return c, fmt.Errorf("%s=%q: %w", variable, value, err)
			}
		}
	}
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if c.maxBytes <= 0 {
		return c, fmt.Errorf("max-bytes must be positive, not %s", strconv.FormatInt(c.maxBytes, 10))
	}
	return c, nil
}

func serve(c config) error {
	store, err := openStore(c.data)
	if err != nil {
		return err
	}
	defer store.Close()
	if c.sample {
		if err := store.writeSample(); err != nil {
			slog.Warn("no sample written", "error", err.Error())
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	server := &http.Server{
		Addr:              c.listen,
		Handler:           logged(handler(store, c)),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       60 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	slog.Info("started", "listen", c.listen, "data", c.data, "upload", c.upload)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	slog.Info("stopping")
	stop, done := context.WithTimeout(context.Background(), stopGrace)
	defer done()
	return server.Shutdown(stop)
}

// probe exits like a health check: nil when the URL answers 2xx.
func probe(url string) error {
	client := &http.Client{Timeout: 10 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return errors.New(response.Status)
	}
	return nil
}

func main() {
	if filepath.Base(os.Args[0]) == "probe" {
		if len(os.Args) != 2 {
			fmt.Fprintln(os.Stderr, "usage: probe URL")
			os.Exit(2)
		}
		if err := probe(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "probe:", err)
			os.Exit(1)
		}
		return
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	c, err := parse(os.Args[1:], os.Getenv)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = serve(c)
	}
	if err != nil {
		slog.Error("stopped", "error", err.Error())
		os.Exit(1)
	}
}
