// Package spec reads the specs of netlink families, and the overlays that correct them.
package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Load reads the specs in the folders specs and ours, and for each the overlay of the
// same name. The specs in ours may use what else only overlays do. If only is not empty,
// it names the specs to read. The families come sorted by name.
func Load(specs, ours, overlays string, only ...string) ([]*Family, error) {
	unused, err := yamlFiles(overlays)
	if err != nil {
		return nil, err
	}
	var families []*Family
	var errs []error
	missing := slices.Clone(only)
	for _, folder := range []string{specs, ours} {
		files, err := yamlFiles(folder)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			unused = slices.DeleteFunc(unused, func(o string) bool { return o == file })
			name := strings.TrimSuffix(file, ".yaml")
			if len(only) > 0 && !slices.Contains(only, name) {
				continue
			}
			missing = slices.DeleteFunc(missing, func(m string) bool { return m == name })
			f, err := load(filepath.Join(folder, file), filepath.Join(overlays, file), folder == ours)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			families = append(families, f)
		}
	}
	if len(unused) > 0 {
		errs = append(errs, fmt.Errorf("%s: no spec for it", filepath.Join(overlays, unused[0])))
	}
	for _, name := range missing {
		errs = append(errs, fmt.Errorf("no spec %q in %s or %s", name, specs, ours))
	}
	slices.SortFunc(families, func(a, b *Family) int { return strings.Compare(a.Name, b.Name) })
	return families, errors.Join(errs...)
}

// yamlFiles returns the names of the YAML files in a folder, which need not exist.
func yamlFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".yaml" {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// load reads one spec and its overlay, if there is one.
func load(path, overlay string, ours bool) (*Family, error) {
	root, err := parse(path, ours)
	if err != nil {
		return nil, err
	}
	over, err := parse(overlay, true)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := merge(root, over); err != nil {
			return nil, err
		}
	}
	if err := inheritSubsets(root); err != nil {
		return nil, err
	}
	f := &Family{Own: ours}
	d := decoder{schema: "genetlink"}
	if p := root.get("protocol"); p != nil {
		d.schema = p.text
	}
	if err := d.decode(root, reflect.ValueOf(f).Elem()); err != nil {
		return nil, err
	}
	return f, f.resolve()
}

// inheritSubsets gives the attributes of sets that are subsets of others the keys that
// they do not override.
func inheritSubsets(root *node) error {
	sets := root.get("attribute-sets")
	if sets == nil {
		return nil
	}
	for _, set := range sets.items {
		parent := set.get("subset-of")
		if parent == nil {
			continue
		}
		i := find(sets, parent.text, "name")
		if i < 0 {
			return parent.Errorf("no set %q", parent.text)
		}
		if set.get("attributes") == nil || sets.items[i].get("attributes") == nil {
			continue // decode reports it
		}
		attributes := set.get("attributes")
		for _, attr := range attributes.items {
			if err := inherit(attr, sets.items[i].get("attributes")); err != nil {
				return err
			}
		}
		attributes.items = unique(attributes.items)
	}
	return nil
}

func inherit(attr, attributes *node) error {
	name := attr.get("name")
	if name == nil {
		return attr.Errorf("no key %q", "name")
	}
	i := find(attributes, name.text, "name")
	if i < 0 {
		return name.Errorf("%s has no item %q", attributes.Pos, name.text)
	}
	for _, p := range attributes.items[i].pairs {
		if attr.get(p.key) == nil {
			attr.pairs = append(attr.pairs, p)
		}
	}
	return nil
}

// unique returns the items without those that equal one before: upstream has subsets that
// list an attribute twice.
func unique(items []*node) []*node {
	var list []*node
	for _, item := range items {
		if !slices.ContainsFunc(list, item.equal) {
			list = append(list, item)
		}
	}
	return list
}
