package main

import (
	"math/rand/v2"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// filler sets fields to random values, often to those at the edges.
type filler struct {
	random *rand.Rand
	manner manner
	// bottom is the depth below which nothing is set, in the manner full.
	bottom int
}

// manner is what a filler does about values that may not be there.
type manner int

const (
	// some are set, the fewer the deeper they are.
	some manner = iota
	// full sets all of them down to the bottom, lists and maps to one element, and texts to more than nothing.
	full
	// zero sets all of them, and numbers, texts, times to zero.
	zero
)

var texts = []string{
	"", "a", "name", "app.kubernetes.io/name", "Zürich €", "<b>&</b>", "\u2028\u2029", "\"quoted\\\"", "tab\tline\n\r\b\f\x01\x7f",
	"😀", "a very long text that no short string optimization of anything would keep in place, and that goes on for a while",
}

var numbers = []int64{0, 1, -1, 7, 42, 100, 127, 128, -128, 65535, 1<<31 - 1, -1 << 31}

var quantities = []string{"0", "1", "100m", "1Gi", "1500Ki", "-5", "1e3", "123456789012345678901234", "0.5", "3n", "12E"}

var raws = []string{`{}`, `{"b":1,"a":[1.5,"x",null,true,{"z":{},"y":-0}]}`, ` { "spaced" : [ 1 , 2 ] } `, `{"<":"&\u003e\/","é":1e400}`}

var fieldSets = []string{
	`{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{}}}}}`, `{}`,
}

func (f *filler) times() []time.Time {
	return []time.Time{
		{}, time.Unix(0, 0), time.Unix(-1, 0), time.Unix(1700000000, 123456789), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(2024, 2, 29, 12, 30, 0, 1000, time.FixedZone("", 3600)),
		time.Date(1969, 12, 31, 23, 59, 59, 250000000, time.UTC),
		time.Unix(f.random.Int64N(1<<32), f.random.Int64N(1_000_000_000)),
	}
}

func pick[T any](f *filler, from []T) T { return from[f.random.IntN(len(from))] }

// isSet tells whether to give a value to what may have none; the deeper, the rarer, so that objects stay small.
func (f *filler) isSet(depth int) bool {
	switch f.manner {
	case full:
		return depth <= f.bottom
	case zero:
		return true
	}
	return f.random.IntN(10) < 9-depth
}

// count is how many elements a list or map gets.
func (f *filler) count(most int) int {
	if f.manner != some {
		return 1
	}
	return f.random.IntN(most + 1)
}

func (f *filler) fill(value reflect.Value, depth int) {
	isPlain := value.Kind() != reflect.Pointer && value.Kind() != reflect.Map && value.Kind() != reflect.Slice
	if f.manner == zero && isPlain && value.Kind() != reflect.Struct {
		return
	}
	if f.special(value) {
		return
	}
	switch value.Kind() {
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Type().Field(i).Tag.Get("protobuf") != "" && value.Type().Field(i).Tag.Get("protobuf") != "-" {
				f.fill(value.Field(i), depth+1)
			}
		}
	case reflect.Pointer:
		if f.isSet(depth) {
			value.Set(reflect.New(value.Type().Elem()))
			f.fill(value.Elem(), depth)
		}
	case reflect.Slice:
		f.slice(value, depth)
	case reflect.Map:
		f.fillMap(value, depth)
	case reflect.String:
		if f.manner == full {
			value.SetString(pick(f, texts[1:]))
			return
		}
		value.SetString(pick(f, texts))
	case reflect.Bool:
		value.SetBool(f.random.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		value.SetInt(pick(f, append(numbers[:len(numbers):len(numbers)], 1<<63-1, -1<<63)))
	case reflect.Int32:
		value.SetInt(pick(f, numbers))
	default:
		fail("nothing to fill %s with", value.Type())
	}
}

func (f *filler) slice(value reflect.Value, depth int) {
	if value.Type().Elem().Kind() == reflect.Uint8 && f.manner == zero {
		return
	}
	if value.Type().Elem().Kind() == reflect.Uint8 {
		value.SetBytes(pick(f, [][]byte{nil, {}, {0}, []byte("plain"), {0xff, 0xfe}, {0xfb, 0xff, 0xbf, 1}}))
		return
	}
	if !f.isSet(depth) {
		return
	}
	count := f.count(2)
	value.Set(reflect.MakeSlice(value.Type(), count, count))
	for i := range count {
		f.fill(value.Index(i), depth+1)
	}
}

func (f *filler) fillMap(value reflect.Value, depth int) {
	if !f.isSet(depth) {
		return
	}
	value.Set(reflect.MakeMap(value.Type()))
	for range f.count(3) {
		key, element := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
		f.fill(key, depth+1)
		f.fill(element, depth+1)
		value.SetMapIndex(key, element)
	}
}

// special fills types whose JSON is not that of their fields.
func (f *filler) special(value reflect.Value) bool {
	isZero := f.manner == zero
	switch set := value.Addr().Interface().(type) {
	case *metav1.Time:
		if !isZero {
			set.Time = pick(f, f.times())
		}
	case *metav1.MicroTime:
		if !isZero {
			set.Time = pick(f, f.times())
		}
	case *resource.Quantity:
		*set = resource.MustParse(pick(f, quantities))
	case *intstr.IntOrString:
		*set = pick(f, []intstr.IntOrString{intstr.FromInt32(0), intstr.FromInt32(-1), intstr.FromInt32(1<<31 - 1), intstr.FromString("50%"), intstr.FromString("")})
	case *runtime.RawExtension:
		if !isZero && f.random.IntN(5) > 0 {
			set.Raw = []byte(pick(f, raws))
		}
	case *metav1.FieldsV1:
		set.Raw = []byte(pick(f, fieldSets))
	default:
		return false
	}
	return true
}
