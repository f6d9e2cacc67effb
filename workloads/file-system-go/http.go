package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

const pageLimit = 1000 // names in one listing

func handler(store *store, c config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if err := store.check(); err != nil {
			fail(w, http.StatusServiceUnavailable, "the data folder cannot be read")
			slog.Error("unhealthy", "error", err.Error())
			return
		}
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /files", func(w http.ResponseWriter, r *http.Request) { list(store, w, r) })
	mux.HandleFunc("GET /files/{name...}", func(w http.ResponseWriter, r *http.Request) { get(store, w, r) })
	if c.upload {
		mux.HandleFunc("PUT /files/{name...}", func(w http.ResponseWriter, r *http.Request) {
			put(store, c.maxBytes, w, r)
		})
	}
	return mux
}

// list answers one page of names, sorted; ?after= continues behind a name.
func list(store *store, w http.ResponseWriter, r *http.Request) {
	limit := pageLimit
	if text := r.URL.Query().Get("limit"); text != "" {
		given, err := strconv.Atoi(text)
		if err != nil || given < 1 || given > pageLimit {
			fail(w, http.StatusBadRequest, fmt.Sprintf("limit must be 1 to %d", pageLimit))
			return
		}
		limit = given
	}
	files, more, err := store.list(r.URL.Query().Get("after"), limit)
	if err != nil {
		unexpected(w, err)
		return
	}
	page := map[string]any{"files": files}
	if more {
		page["next"] = files[len(files)-1].Name
	}
	reply(w, http.StatusOK, page)
}

func get(store *store, w http.ResponseWriter, r *http.Request) {
	file, info, err := store.open(r.PathValue("name"))
	switch {
	case errors.Is(err, errName), errors.Is(err, fs.ErrNotExist):
		fail(w, http.StatusNotFound, "no such file")
		return
	case err != nil:
		unexpected(w, err)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("ETag", etag(info))
	http.ServeContent(w, r, "", info.ModTime(), file)
}

func put(store *store, maxBytes int64, w http.ResponseWriter, r *http.Request) {
	created, err := store.put(r.PathValue("name"), http.MaxBytesReader(w, r.Body, maxBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errName):
		fail(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, errNotWAV):
		fail(w, http.StatusUnprocessableEntity, err.Error())
	case errors.As(err, &tooLarge):
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("larger than %d bytes", maxBytes))
	case err != nil:
		unexpected(w, err)
	case created:
		reply(w, http.StatusCreated, map[string]string{"name": r.PathValue("name")})
	default:
		reply(w, http.StatusOK, map[string]string{"name": r.PathValue("name")})
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that left is no error of ours
}

func fail(w http.ResponseWriter, status int, reason string) {
	reply(w, status, map[string]string{"error": reason})
}

func unexpected(w http.ResponseWriter, err error) {
	slog.Error("failed", "error", err.Error())
	fail(w, http.StatusInternalServerError, "internal error")
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ServeContent reach sendfile and MaxBytesReader the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		record := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(record, r)
		if r.URL.Path == "/health" && record.status == http.StatusOK {
			return
		}
		slog.Info("request", "method", r.Method, "path", r.URL.Path, "status", record.status,
			"milliseconds", time.Since(started).Milliseconds(), "request_id", r.Header.Get("X-Request-Id"))
	})
}
