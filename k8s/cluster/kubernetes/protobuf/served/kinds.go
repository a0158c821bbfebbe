// Package served knows the built-in kinds as the API server does: by its own scheme.
package served

import (
	"cmp"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubernetes/pkg/api/legacyscheme"

	_ "k8s.io/kubernetes/pkg/apis/admission/install"
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/apiserverinternal/install"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/authentication/install"
	_ "k8s.io/kubernetes/pkg/apis/authorization/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/certificates/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	_ "k8s.io/kubernetes/pkg/apis/extensions/install"
	_ "k8s.io/kubernetes/pkg/apis/flowcontrol/install"
	_ "k8s.io/kubernetes/pkg/apis/imagepolicy/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	_ "k8s.io/kubernetes/pkg/apis/storagemigration/install"
)

// Kind is one that can be listed, with the Go types of an item and of its list.
type Kind struct {
	schema.GroupVersionKind
	Type, ListType reflect.Type
}

// Kinds are all kinds that have a list and that the version serves, sorted.
//
// Those of apiextensions and apiregistration are not among them: servers keep them as JSON, in which a list may be null
// or empty, and protobuf does not tell which.
func Kinds(major, minor int) []Kind {
	var kinds []Kind
	known := legacyscheme.Scheme.AllKnownTypes()
	for list, listType := range known {
		items, hasItems := listType.FieldByName("Items")
		if list.Version == "__internal" || !hasItems || !hasListMeta(listType) {
			continue
		}
		for kind, itemType := range known {
			isItem := kind.GroupVersion() == list.GroupVersion() && itemType == items.Type.Elem() && kind.Kind+"List" == list.Kind
			if isItem && !isRemoved(itemType, major, minor) {
				kinds = append(kinds, Kind{kind, itemType, listType})
			}
		}
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return cmp.Compare(a.String(), b.String()) })
	return kinds
}

func hasListMeta(of reflect.Type) bool {
	field, ok := of.FieldByName("ListMeta")
	return ok && field.Type == reflect.TypeFor[metav1.ListMeta]()
}

// isRemoved tells whether the version serves the kind no more; kinds that were never to go say nothing.
func isRemoved(of reflect.Type, major, minor int) bool {
	passing, ok := reflect.New(of).Interface().(interface{ APILifecycleRemoved() (int, int) })
	if !ok {
		return false
	}
	removedMajor, removedMinor := passing.APILifecycleRemoved()
	return removedMajor < major || (removedMajor == major && removedMinor <= minor)
}
