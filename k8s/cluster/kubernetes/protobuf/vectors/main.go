// Command vectors writes lists of every built-in kind twice, as protobuf and as JSON, as the API server encodes them.
//
// Each list goes the server's way: what was filled in is stored as protobuf, read back and defaulted into the internal
// type, and from there encoded by the serializers that answer requests. The same arguments give the same bytes.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/kubernetes/pkg/api/legacyscheme"

	"pinnace.dev/k8s/cluster/kubernetes/protobuf/served"
)

// deepest is how deep fields are, counted in structs, lists and maps.
const deepest = 14

// attempts that a random object gets until the server's conversions take one.
const attempts = 200

func main() {
	version := flag.String("version", "1.35", "of Kubernetes")
	seed := flag.Uint64("seed", 1, "of the random objects")
	items := flag.Int("items", 2, "random items of each kind, after those with nothing, with all and with some of it set")
	flag.Parse()
	var major, minor int
	if _, err := fmt.Sscanf(*version, "%d.%d", &major, &minor); err != nil {
		fail("-version %q: %v", *version, err)
	}
	packed, _ := gzip.NewWriterLevel(os.Stdout, gzip.BestCompression)
	for number, kind := range served.Kinds(major, minor) {
		filler := &filler{random: rand.New(rand.NewPCG(*seed, uint64(number)))}
		pair, err := encoded(kind, *items, filler)
		if err != nil {
			fail("%s: %v", kind, err)
		}
		for _, part := range []string{kind.GroupVersion().String(), kind.Kind, pair.protobuf, pair.json} {
			write(packed, part)
		}
	}
	if err := packed.Close(); err != nil {
		fail("%v", err)
	}
}

type pair struct{ protobuf, json string }

// encoded makes a list of the kind in both encodings.
func encoded(kind served.Kind, items int, filler *filler) (pair, error) {
	list := reflect.New(kind.ListType)
	remaining := int64(filler.random.IntN(1000))
	list.Elem().FieldByName("ListMeta").Set(reflect.ValueOf(metav1.ListMeta{
		ResourceVersion: "12345", Continue: "token<&>", RemainingItemCount: &remaining,
	}))
	slice := list.Elem().FieldByName("Items")
	slice.Set(reflect.Append(slice, reflect.Zero(kind.Type)))
	for index := range deepest + 1 + items {
		switch {
		case index < deepest:
			filler.manner, filler.bottom = full, index
		case index == deepest:
			filler.manner = zero
		default:
			filler.manner = some
		}
		item, err := acceptable(kind, filler)
		if err != nil {
			return pair{}, err
		}
		slice.Set(reflect.Append(slice, item))
	}
	return asServed(list.Interface().(runtime.Object), kind.GroupVersion())
}

// acceptable is a random item that the server's conversions and serializers take alone.
func acceptable(kind served.Kind, filler *filler) (item reflect.Value, err error) {
	for range attempts {
		list := reflect.New(kind.ListType)
		item = reflect.New(kind.Type).Elem()
		filler.fill(item, 0)
		for _, field := range []string{"Name", "Namespace"} {
			// One that can't be part of a path is not archived.
			item.FieldByName("ObjectMeta").FieldByName(field).SetString("path")
		}
		slice := list.Elem().FieldByName("Items")
		slice.Set(reflect.Append(slice, item))
		if _, err = asServed(list.Interface().(runtime.Object), kind.GroupVersion()); err == nil {
			return item, nil
		}
	}
	return item, fmt.Errorf("none of %d random objects was taken, the last one because of %w", attempts, err)
}

// asServed stores the list, reads it back, and encodes it in both ways.
func asServed(list runtime.Object, version schema.GroupVersion) (made pair, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	scheme, codecs := legacyscheme.Scheme, legacyscheme.Codecs
	asProtobuf := protobuf.NewSerializerWithOptions(scheme, scheme, protobuf.SerializerOptions{StreamingCollectionsEncoding: true})
	asJSON := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{StreamingCollectionsEncoding: true})

	list.GetObjectKind().SetGroupVersionKind(version.WithKind(reflect.TypeOf(list).Elem().Name()))
	var stored bytes.Buffer
	if err := asProtobuf.Encode(list, &stored); err != nil {
		return made, err
	}
	internal, err := runtime.Decode(codecs.DecoderToVersion(asProtobuf, runtime.InternalGroupVersioner), stored.Bytes())
	if err != nil {
		return made, err
	}
	first, err := runtime.Encode(codecs.EncoderForVersion(asProtobuf, version), internal)
	if err != nil {
		return made, err
	}
	second, err := runtime.Encode(codecs.EncoderForVersion(asJSON, version), internal)
	return pair{string(first), string(second)}, err
}

func write(to io.Writer, part string) {
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(part)))
	if _, err := to.Write(append(length, part...)); err != nil {
		fail("%v", err)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
