package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	sampleName = "sample.wav"
	partial    = ".upload-" // hidden, so never listed nor served
	abandoned  = time.Hour  // an upload older than this lost its process
)

var errName = errors.New("the name must be a relative path ending in .wav, without hidden parts")

// store is one folder. os.Root keeps every access inside it, symbolic links included.
type store struct{ root *os.Root }

type entry struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	ETag     string    `json:"etag"`
}

func openStore(folder string) (*store, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	s := &store{root}
	s.sweep()
	return s, nil
}

func (s *store) Close() error { return s.root.Close() }

// sweep removes what uploads left behind whose process was killed.
func (s *store) sweep() {
	_ = fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), partial) {
			return nil
		}
		if info, err := d.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = s.root.Remove(name) // on a read-only folder it stays, hidden
		}
		return nil
	})
}

// validName says whether a name may be served: one spelling for each file, none hidden, none outside.
func validName(name string) bool {
	if len(name) > 1024 || !utf8.ValidString(name) || strings.ContainsRune(name, '\\') ||
		!strings.EqualFold(path.Ext(name), ".wav") || strings.ContainsFunc(name, unicode.IsControl) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || len(part) > 255 {
			return false
		}
	}
	return true
}

func etag(info fs.FileInfo) string {
	return fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size())
}

// open returns a regular file. The error is errName, or fs.ErrNotExist for everything that is not one.
func (s *store) open(name string) (*os.File, fs.FileInfo, error) {
	if !validName(name) {
		return nil, nil, errName
	}
	info, err := s.root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		// A link that leads outside is answered like a file that is not there.
		return nil, nil, fs.ErrNotExist
	}
	file, err := s.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	if info, err = file.Stat(); err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// list returns up to limit entries behind a name, in order, and whether there are more.
func (s *store) list(after string, limit int) ([]entry, bool, error) {
	names := []string{}
	err := fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			return nil // a folder that vanished or that we may not read hides its files only
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.Type().IsRegular() && name > after && validName(name):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	sort.Strings(names)
	files := []entry{}
	for i, name := range names {
		if len(files) == limit {
			return files, i < len(names), nil
		}
		if info, err := s.root.Stat(name); err == nil {
			files = append(files, entry{name, info.Size(), info.ModTime().UTC(), etag(info)})
		}
	}
	return files, false, nil
}

// check reports whether the folder can be read.
func (s *store) check() error {
	folder, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	if _, err := folder.ReadDir(1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// put stores a complete and valid WAV file under the name, all of it or nothing.
func (s *store) put(name string, body io.Reader) (created bool, err error) {
	if !validName(name) {
		return false, errName
	}
	if err := s.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return false, err
	}
	temporary := path.Join(path.Dir(name), partial+rand.Text())
	file, err := s.root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return false, err
	}
	defer func() {
		file.Close()
		if err != nil {
			_ = s.root.Remove(temporary)
		}
	}()
	size, err := io.Copy(file, body)
	if err != nil {
		return false, err
	}
	if err := checkWAV(io.NewSectionReader(file, 0, size), size); err != nil {
		return false, err
	}
	if err := file.Sync(); err != nil {
		return false, err
	}
	_, missing := s.root.Stat(name)
	if err := s.root.Rename(temporary, name); err != nil {
		return false, err
	}
	return errors.Is(missing, fs.ErrNotExist), s.syncFolder(path.Dir(name))
}

// syncFolder makes a rename survive a power failure.
func (s *store) syncFolder(name string) error {
	folder, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// writeSample gives a newcomer something to process. It never touches a folder that has files.
func (s *store) writeSample() error {
	folder, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, name := range names {
		if name != "lost+found" {
			return nil
		}
	}
	_, err = s.put(sampleName, bytes.NewReader(tone()))
	return err
}
