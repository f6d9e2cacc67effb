package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

var errNotWAV = errors.New("not a valid WAV file")

const (
	formatPCM        = 1
	formatFloat      = 3
	formatExtensible = 0xFFFE
)

// checkWAV accepts a RIFF/WAVE file of PCM or float samples whose data chunk is all there.
func checkWAV(r io.ReadSeeker, size int64) error {
	invalid := func(why string) error { return fmt.Errorf("%w: %s", errNotWAV, why) }
	var riff struct {
		ID     [4]byte
		Size   uint32
		Format [4]byte
	}
	if err := binary.Read(r, binary.LittleEndian, &riff); err != nil || string(riff.ID[:]) != "RIFF" ||
		string(riff.Format[:]) != "WAVE" {
		return invalid("no RIFF/WAVE header")
	}
	described := false
	for position := int64(12); ; {
		var chunk struct {
			ID   [4]byte
			Size uint32
		}
		if err := binary.Read(r, binary.LittleEndian, &chunk); err != nil {
			return invalid("no data chunk")
		}
		position += 8
		end := position + int64(chunk.Size)
		if end > size {
			return invalid(fmt.Sprintf("chunk %q is cut off", chunk.ID))
		}
		switch string(chunk.ID[:]) {
		case "fmt ":
			var format struct {
				Tag, Channels  uint16
				Rate, ByteRate uint32
				Align, Bits    uint16
			}
			if chunk.Size < 16 || binary.Read(r, binary.LittleEndian, &format) != nil {
				return invalid("format chunk too short")
			}
			if format.Tag != formatPCM && format.Tag != formatFloat && format.Tag != formatExtensible {
				return invalid(fmt.Sprintf("format %d is neither PCM nor float", format.Tag))
			}
			if format.Channels == 0 || format.Rate == 0 || format.Bits == 0 || format.Bits%8 != 0 ||
				int(format.Align) != int(format.Channels)*int(format.Bits)/8 {
				return invalid("contradictory format chunk")
			}
			described = true
		case "data":
			if !described {
				return invalid("data before its format")
			}
			return nil
		}
		position = end + end%2 // chunks start on even positions
		if _, err := r.Seek(position, io.SeekStart); err != nil {
			return invalid("no data chunk")
		}
	}
}

const (
	toneRate      = 16000
	toneHertz     = 440
	toneAmplitude = 0.5
)

// tone is one second of a sine, 16 bit, mono: -9.03 dBFS, peak 0.5, so that results can be checked by hand.
func tone() []byte {
	const bytesPerSample = 2
	length := uint32(toneRate * bytesPerSample)
	out := []byte("RIFF")
	out = binary.LittleEndian.AppendUint32(out, 36+length)
	out = append(out, "WAVEfmt "...)
	out = binary.LittleEndian.AppendUint32(out, 16)
	for _, field := range []uint16{formatPCM, 1} {
		out = binary.LittleEndian.AppendUint16(out, field)
	}
	for _, field := range []uint32{toneRate, toneRate * bytesPerSample} {
		out = binary.LittleEndian.AppendUint32(out, field)
	}
	for _, field := range []uint16{bytesPerSample, 8 * bytesPerSample} {
		out = binary.LittleEndian.AppendUint16(out, field)
	}
	out = append(out, "data"...)
	out = binary.LittleEndian.AppendUint32(out, length)
	for i := range toneRate {
		value := toneAmplitude * math.Sin(2*math.Pi*toneHertz*float64(i)/toneRate)
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(math.Round(value*32768))))
	}
	return out
}
