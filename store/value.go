package store

import (
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
)

// argument returns what is bound for v: a time as microseconds, a named type as
// its base type, a pointer as what it points to. nil, a nil pointer, a nil
// []byte and the zero time are NULL; an empty string or []byte{} is not.
func argument(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return text(v)
	case nil, int64, bool, float64, *Code:
		return v, nil
	case int:
		return int64(v), nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case time.Time:
		if v.IsZero() {
			return nil, nil
		}
		return v.UnixMicro(), nil
	// The names of the domain that rows are full of; others take longer.
	case elicense.UnitCode:
		return text(string(v))
	case elicense.TypeCode:
		return text(string(v))
	case elicense.DraftID:
		return text(string(v))
	case elicense.LicenseID:
		return text(string(v))
	case elicense.HolderKey:
		return text(string(v))
	case elicense.PersonID:
		return text(string(v))
	case driver.Valuer:
		got, err := v.Value()
		if err != nil {
			return nil, err
		}
		if _, again := got.(driver.Valuer); again {
			return nil, fmt.Errorf("store: value of %T is a Valuer again", v)
		}
		return argument(got)
	}
	return reflected(reflect.ValueOf(v))
}

// text refuses what PostgreSQL does not take as text, on both engines: it was
// typed or sent by someone, who is told so.
func text(s string) (any, error) {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return nil, elicense.E(elicense.Invalid, "内容里有不能使用的字符").Then("请删去看不见的控制字符后再试")
	}
	return s, nil
}

func reflected(r reflect.Value) (any, error) {
	switch r.Kind() {
	case reflect.Pointer:
		if r.IsNil() {
			return nil, nil
		}
		return argument(r.Elem().Interface())
	case reflect.String:
		return text(r.String())
	case reflect.Bool:
		return r.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if r.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("store: %d does not fit a BIGINT", r.Uint())
		}
		return int64(r.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return r.Float(), nil
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return argument(r.Bytes())
		}
	case reflect.Array:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			out := make([]byte, r.Len())
			reflect.Copy(reflect.ValueOf(out), r)
			return out, nil
		}
	}
	return nil, fmt.Errorf("store: %s can not be stored", r.Type())
}

func arguments(args []any) ([]any, error) {
	if len(args) == 0 {
		return nil, nil
	}
	out := make([]any, len(args))
	for i, a := range args {
		v, err := argument(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		out[i] = v
	}
	return out, nil
}

// assign puts a column's value into *dest. NULL becomes the zero time, a nil
// []byte or a nil pointer; any other destination refuses it, so that NULL and
// empty are not mixed up.
func assign(dest, src any) error {
	switch d := dest.(type) {
	case *string:
		if s, ok := src.(string); ok {
			*d = s
			return nil
		}
	case *[]byte:
		switch s := src.(type) {
		case nil:
			*d = nil
			return nil
		case []byte:
			if s == nil {
				s = []byte{} // SQLite's driver has no other way to say empty
			}
			*d = s
			return nil
		}
	case *int64:
		if n, ok := src.(int64); ok {
			*d = n
			return nil
		}
	case *time.Time:
		switch s := src.(type) {
		case nil:
			*d = time.Time{}
			return nil
		case int64:
			*d = time.UnixMicro(s).UTC()
			return nil
		}
	case *any:
		*d = src
		return nil
	case interface{ Scan(any) error }:
		return d.Scan(src)
	}
	r := reflect.ValueOf(dest)
	if r.Kind() != reflect.Pointer || r.IsNil() {
		return fmt.Errorf("destination %T is not a pointer", dest)
	}
	return assignReflected(r.Elem(), src)
}

func assignReflected(d reflect.Value, src any) error {
	if d.Kind() == reflect.Pointer {
		if src == nil {
			d.SetZero()
			return nil
		}
		p := reflect.New(d.Type().Elem())
		if err := assign(p.Interface(), src); err != nil {
			return err
		}
		d.Set(p)
		return nil
	}
	switch d.Kind() {
	case reflect.String:
		if s, ok := src.(string); ok {
			d.SetString(s)
			return nil
		}
	case reflect.Bool:
		switch s := src.(type) {
		case bool:
			d.SetBool(s)
			return nil
		case int64: // SQLite has no boolean of its own
			d.SetBool(s != 0)
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n, ok := integer(src); ok && !d.OverflowInt(n) {
			d.SetInt(n)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n, ok := integer(src); ok && n >= 0 && !d.OverflowUint(uint64(n)) {
			d.SetUint(uint64(n))
			return nil
		}
	case reflect.Float32, reflect.Float64:
		switch s := src.(type) {
		case float64:
			d.SetFloat(s)
			return nil
		case int64:
			d.SetFloat(float64(s))
			return nil
		}
	case reflect.Slice:
		if b, ok := src.([]byte); ok && d.Type().Elem().Kind() == reflect.Uint8 {
			d.SetBytes(b)
			return nil
		} else if src == nil && d.Type().Elem().Kind() == reflect.Uint8 {
			d.SetZero()
			return nil
		}
	case reflect.Array:
		if b, ok := src.([]byte); ok && d.Type().Elem().Kind() == reflect.Uint8 && len(b) == d.Len() {
			reflect.Copy(d, reflect.ValueOf(b))
			return nil
		}
	}
	return fmt.Errorf("%T does not go into %s", src, d.Type())
}

// integer reads a whole number. PostgreSQL's SUM of BIGINT is NUMERIC, which
// comes as text.
func integer(src any) (int64, bool) {
	switch s := src.(type) {
	case int64:
		return s, true
	case string:
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	return 0, false
}
