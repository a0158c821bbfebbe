// Command table prints how the fields of Kubernetes' built-in kinds stand in protobuf and in JSON.
//
// It reads the tags of the Go types that the API server itself uses, and knows no kind by name. What it does not
// understand ends it, so that a table is never a guess. The engine reads the table (src/protobuf/table.rs says its form).
package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"pinnace.dev/k8s/cluster/kubernetes/protobuf/served"
)

// codecs are the types whose JSON is not that of their fields, by the word that the table has for them.
var codecs = map[reflect.Type]string{
	reflect.TypeFor[metav1.Time]():          "time",
	reflect.TypeFor[metav1.MicroTime]():     "microtime",
	reflect.TypeFor[resource.Quantity]():    "quantity",
	reflect.TypeFor[intstr.IntOrString]():   "intorstring",
	reflect.TypeFor[runtime.RawExtension](): "raw",
	reflect.TypeFor[metav1.FieldsV1]():      "raw",
}

// typed are the fields whose values say what kind they are: the server's conversions set it (apis/apps/v1/conversion.go).
var typed = map[string]schema.GroupVersionKind{
	"v1.StatefulSetSpec.VolumeClaimTemplates": {Version: "v1", Kind: "PersistentVolumeClaim"},
}

func main() {
	var major, minor int
	if _, err := fmt.Sscanf(strings.Join(os.Args[1:], " "), "%d.%d", &major, &minor); err != nil {
		fail("usage: table VERSION, as 1.35")
	}
	table := &table{messages: map[reflect.Type]*message{}, names: map[string]*message{}}
	var kinds []string
	for _, kind := range served.Kinds(major, minor) {
		name := table.message(kind.Type)
		kinds = append(kinds, fmt.Sprintf("kind %s %s %s", kind.GroupVersion(), kind.Kind, name))
	}
	fmt.Println("# Made by `just protobuf-table` from Kubernetes' own types, never by hand; src/protobuf/table.rs says what it means.")
	fmt.Printf("version %d.%d\n", major, minor)
	for _, line := range kinds {
		fmt.Println(line)
	}
	table.print()
	table.tellUndecidable()
}

type message struct {
	of     reflect.Type
	name   string
	fields []field
}

type field struct {
	number, name, shape, omission, codec string
}

type table struct {
	messages map[reflect.Type]*message
	names    map[string]*message
}

// message names the struct type, which is added to the table if it is not there yet.
func (t *table) message(of reflect.Type) string {
	if known := t.messages[of]; known != nil {
		return known.name
	}
	refuseMarshaler(of)
	made := &message{of: of, name: name(of)}
	if other := t.names[made.name]; other != nil {
		fail("%s and %s are both called %s", of, other.of, made.name)
	}
	t.messages[of], t.names[made.name] = made, made
	for i := range of.NumField() {
		if found, ok := t.field(of, of.Field(i)); ok {
			made.fields = append(made.fields, found)
		}
	}
	return made.name
}

func (t *table) field(of reflect.Type, in reflect.StructField) (field, bool) {
	where := of.String() + "." + in.Name
	jsonName, options, _ := strings.Cut(in.Tag.Get("json"), ",")
	if in.Type == reflect.TypeFor[metav1.TypeMeta]() {
		return field{}, false // apiVersion and kind: protobuf lists leave them out, as JSON lists do
	}
	tag := strings.Split(in.Tag.Get("protobuf"), ",")
	if len(tag) < 3 || jsonName == "-" {
		fail("%s: protobuf %q, json %q", where, in.Tag.Get("protobuf"), in.Tag.Get("json"))
	}
	found := field{number: tag[1], name: jsonName, shape: "one", omission: omission(where, in.Type, options)}
	inner := in.Type
	switch {
	case in.Anonymous && jsonName == "":
		found.name, found.shape = "-", "inline"
	case jsonName == "":
		fail("%s has no name in JSON", where)
	case inner.Kind() == reflect.Pointer:
		found.shape, inner = "pointer", inner.Elem()
	case inner.Kind() == reflect.Map && inner.Key().Kind() == reflect.String:
		found.shape, inner = "map", inner.Elem()
	case inner.Kind() == reflect.Slice && !isBytes(inner) && !isMessage(inner):
		found.shape, inner = "list", inner.Elem()
	}
	if found.shape == "inline" && inner.Kind() != reflect.Struct {
		fail("%s: an inline %s", where, inner)
	}
	found.codec = t.codec(where, inner)
	return found, true
}

// omission says when JSON leaves the field out. Structs are never empty to omitempty, so that they are always there.
func omission(where string, of reflect.Type, options string) string {
	given := strings.Split(options, ",")
	if slices.Contains(given, "omitzero") {
		if of != reflect.TypeFor[metav1.Time]() {
			fail("%s: omitzero of %s", where, of)
		}
		return "omitempty"
	}
	if slices.Contains(given, "omitempty") && of.Kind() != reflect.Struct {
		return "omitempty"
	}
	return "always"
}

// codec is the word for a single value of the type.
func (t *table) codec(where string, of reflect.Type) string {
	if word, ok := codecs[of]; ok {
		return word
	}
	switch of.Kind() {
	case reflect.Struct:
		return t.inner(where, of)
	case reflect.Slice:
		if isBytes(of) {
			return plain(of, "bytes")
		}
		if of.Elem().Kind() == reflect.String && isMessage(of) {
			return plain(of, "strings")
		}
	case reflect.String:
		return plain(of, "string")
	case reflect.Bool:
		return plain(of, "bool")
	case reflect.Int32:
		return plain(of, "int32")
	case reflect.Int64, reflect.Int:
		return plain(of, "int64")
	}
	fail("%s: no codec for %s", where, of)
	return ""
}

// inner names a message that is part of another one. If it is a kind, it is known what it says of that.
func (t *table) inner(where string, of reflect.Type) string {
	plain := t.message(of)
	if _, isKind := of.FieldByName("TypeMeta"); !isKind {
		return plain
	}
	kind, known := typed[where]
	if !known {
		fail("%s: a kind within another one", where)
	}
	made := &message{of: of, name: plain + ".typed"}
	for _, member := range [][2]string{{"apiVersion", kind.GroupVersion().String()}, {"kind", kind.Kind}} {
		made.fields = append(made.fields, field{"0", member[0], "fixed", "always", member[1]})
	}
	made.fields = append(made.fields, t.messages[of].fields...)
	t.names[made.name] = made
	return made.name
}

func isBytes(of reflect.Type) bool {
	return of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Uint8
}

// isMessage tells whether a slice is a message of its own, which lets a map have slices as values.
func isMessage(of reflect.Type) bool {
	_, found := reflect.PointerTo(of).MethodByName("Marshal")
	return found
}

func plain(of reflect.Type, word string) string {
	refuseMarshaler(of)
	return word
}

// refuseMarshaler ends the program where the type has a JSON of its own.
func refuseMarshaler(of reflect.Type) {
	for _, marshaler := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if of.Implements(marshaler) || reflect.PointerTo(of).Implements(marshaler) {
			fail("%s has a JSON of its own, which the table has no word for", of)
		}
	}
}

func name(of reflect.Type) string {
	path := of.PkgPath()
	for _, prefix := range []string{"k8s.io/api/", "k8s.io/apimachinery/pkg/apis/", "k8s.io/apimachinery/pkg/"} {
		path = strings.TrimPrefix(path, prefix)
	}
	return path + "." + of.Name()
}

func (t *table) print() {
	for _, name := range t.sorted() {
		fmt.Printf("message %s\n", name)
		for _, field := range t.names[name].fields {
			fmt.Printf("%s %s %s %s %s\n", field.number, field.name, field.shape, field.omission, field.codec)
		}
	}
}

func (t *table) sorted() []string {
	var names []string
	for name := range t.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// tellUndecidable names, for people, the lists and maps of which protobuf does not tell whether they are null or empty.
func (t *table) tellUndecidable() {
	for _, name := range t.sorted() {
		for _, field := range t.names[name].fields {
			if (field.shape == "list" || field.shape == "map") && field.omission == "always" {
				fmt.Fprintf(os.Stderr, "null or empty: %s %s\n", name, field.name)
			}
		}
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
