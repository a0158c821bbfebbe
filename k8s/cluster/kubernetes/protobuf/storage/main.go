// Command storage turns objects into what the API server would keep of them in etcd: protobuf, but for custom resources.
//
// It reads objects as JSON, one in a line, and writes for each, in their order, its length (four bytes, big-endian) and
// its bytes. Defaults are set as the server sets them on a write; what no scheme knows stays JSON, as the server keeps it.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/kubernetes/pkg/api/legacyscheme"

	_ "pinnace.dev/k8s/cluster/kubernetes/protobuf/served"
)

// longest is the largest object that the API server takes, and more.
const longest = 8 << 20

func main() {
	if err := convert(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func convert() error {
	decoder := legacyscheme.Codecs.UniversalDeserializer()
	encoder := protobuf.NewSerializer(legacyscheme.Scheme, legacyscheme.Scheme)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 64<<10), longest)
	output := bufio.NewWriterSize(os.Stdout, 64<<10)
	for number := 1; lines.Scan(); number++ {
		kept, err := stored(decoder, encoder, lines.Bytes())
		if err != nil {
			return fmt.Errorf("object %d: %w", number, err)
		}
		if err := binary.Write(output, binary.BigEndian, uint32(len(kept))); err != nil {
			return err
		}
		if _, err := output.Write(kept); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return output.Flush()
}

func stored(decoder runtime.Decoder, encoder runtime.Encoder, document []byte) ([]byte, error) {
	object, kind, err := decoder.Decode(document, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		return document, nil
	}
	if err != nil {
		return nil, err
	}
	legacyscheme.Scheme.Default(object)
	object.GetObjectKind().SetGroupVersionKind(*kind)
	var kept bytes.Buffer
	if err := encoder.Encode(object, &kept); err != nil {
		return nil, err
	}
	return kept.Bytes(), nil
}
