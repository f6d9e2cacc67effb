package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func newStore(t *testing.T) (*store, string) {
	t.Helper()
	folder := t.TempDir()
	s, err := openStore(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, folder
}

func TestSampleOnlyInAnEmptyFolder(t *testing.T) {
	s, folder := newStore(t)
	if err := s.writeSample(); err != nil {
		t.Fatal(err)
	}
	if written, _ := os.ReadFile(filepath.Join(folder, sampleName)); !bytes.Equal(written, tone()) {
		t.Fatal("sample.wav is not the tone")
	}
	other, folder := newStore(t)
	if err := os.WriteFile(filepath.Join(folder, "mine.wav"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := other.writeSample(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, sampleName)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("a folder with files was touched")
	}
}

func TestLinksDoNotLeadOutside(t *testing.T) {
	s, folder := newStore(t)
	outside := filepath.Join(t.TempDir(), "secret.wav")
	if err := os.WriteFile(outside, tone(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(folder, "link.wav")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.open("link.wav"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a link out of the folder was opened: %v", err)
	}
}

func FuzzNamesStayInside(f *testing.F) {
	for _, name := range []string{"a.wav", "../a.wav", "a/../b.wav", "/a.wav", ".a.wav", "a//b.wav", "a\\..\\b.wav",
		"a\x00.wav", "..", "", "a/b/c.WAV"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if validName(name) && (!fs.ValidPath(name) || filepath.Clean(name) != name || !filepath.IsLocal(name)) {
			t.Fatalf("%q was accepted", name)
		}
	})
}

func TestUploadIsAllOrNothing(t *testing.T) {
	s, folder := newStore(t)
	whole := tone()
	if created, err := s.put("a/b.wav", bytes.NewReader(whole)); err != nil || !created {
		t.Fatal(created, err)
	}
	if _, err := s.put("a/b.wav", bytes.NewReader(whole[:len(whole)-1])); !errors.Is(err, errNotWAV) {
		t.Fatalf("a cut off file was accepted: %v", err)
	}
	if kept, _ := os.ReadFile(filepath.Join(folder, "a", "b.wav")); !bytes.Equal(kept, whole) {
		t.Fatal("a refused upload changed the file")
	}
	left, _ := os.ReadDir(filepath.Join(folder, "a"))
	if len(left) != 1 {
		t.Fatalf("left behind: %v", left)
	}
}

func FuzzCheckWAVNeverPanics(f *testing.F) {
	f.Add(tone()[:64])
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEdata"))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := checkWAV(bytes.NewReader(data), int64(len(data)))
		if err != nil && !errors.Is(err, errNotWAV) {
			t.Fatal(err)
		}
	})
}

func request(h http.Handler, method, target string, body []byte, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, bytes.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHTTP(t *testing.T) {
	s, _ := newStore(t)
	closed, open := handler(s, config{maxBytes: 1 << 20}), handler(s, config{upload: true, maxBytes: 1 << 20})
	if w := request(closed, "PUT", "/files/a.wav", tone()); w.Code != http.StatusMethodNotAllowed {
		t.Fatal("upload is not off by default", w.Code)
	}
	if w := request(open, "PUT", "/files/a.wav", tone()); w.Code != http.StatusCreated {
		t.Fatal(w.Code, w.Body)
	}
	if w := request(open, "PUT", "/files/a.wav", make([]byte, 2<<20)); w.Code != http.StatusRequestEntityTooLarge {
		t.Fatal(w.Code)
	}
	if w := request(open, "PUT", "/files/b.wav", []byte("text")); w.Code != http.StatusUnprocessableEntity {
		t.Fatal(w.Code)
	}
	whole := request(closed, "GET", "/files/a.wav", nil)
	if whole.Code != http.StatusOK || !bytes.Equal(whole.Body.Bytes(), tone()) {
		t.Fatal(whole.Code)
	}
	part := request(closed, "GET", "/files/a.wav", nil, "Range", "bytes=0-3")
	if part.Code != http.StatusPartialContent || part.Body.String() != "RIFF" {
		t.Fatal(part.Code, part.Body)
	}
	same := request(closed, "GET", "/files/a.wav", nil, "If-None-Match", whole.Header().Get("ETag"))
	if same.Code != http.StatusNotModified {
		t.Fatal(same.Code)
	}
	for _, target := range []string{"/files/nothing.wav", "/files/%2e%2e%2fa.wav", "/files/a.txt", "/files/.a.wav"} {
		if w := request(closed, "GET", target, nil); w.Code != http.StatusNotFound {
			t.Fatal(target, w.Code)
		}
	}
	if w := request(closed, "GET", "/files?limit=1", nil); !strings.Contains(w.Body.String(), `"name":"a.wav"`) ||
		strings.Contains(w.Body.String(), "next") {
		t.Fatal(w.Body)
	}
	if w := request(closed, "GET", "/health", nil); w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
}

func TestSettings(t *testing.T) {
	env := map[string]string{"UPLOAD": "true", "LISTEN": ":1"}
	c, err := parse([]string{"-listen", ":2"}, func(name string) string { return env[name] })
	if err != nil || !c.upload || c.listen != ":2" {
		t.Fatal(c, err)
	}
	if _, err := parse(nil, func(string) string { return "x" }); err == nil {
		t.Fatal("nonsense in the environment was accepted")
	}
}
