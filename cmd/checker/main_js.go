//go:build js && wasm

package main

import "syscall/js"

// main gives the worker its functions and waits until it is told to end: an
// instance serves one file, so that ending it frees all the file took.
func main() {
	c := new(checker)
	end := make(chan struct{})
	js.Global().Set("checker", map[string]any{
		"judge":     answer(func(a []js.Value) any { return c.judge(bytesOf(a, 0), textOf(a, 1), textOf(a, 2)) }),
		"pictures":  answer(func(a []js.Value) any { return c.pictures(bytesOf(a, 0)) }),
		"fields":    answer(func(a []js.Value) any { return c.fields(bytesOf(a, 0)) }),
		"statement": answer(func(a []js.Value) any { return c.state(textOf(a, 0), textOf(a, 1)) }),
		"holds":     answer(func(a []js.Value) any { return c.holds(textOf(a, 0)) }),
		"end":       answer(func([]js.Value) any { close(end); return nil }),
	})
	<-end
	js.Global().Delete("checker")
}

func answer(f func([]js.Value) any) js.Func {
	return js.FuncOf(func(_ js.Value, a []js.Value) any { return f(a) })
}

func bytesOf(a []js.Value, i int) []byte {
	if i >= len(a) || !a[i].InstanceOf(js.Global().Get("Uint8Array")) {
		return nil
	}
	b := make([]byte, a[i].Length())
	js.CopyBytesToGo(b, a[i])
	return b
}

func textOf(a []js.Value, i int) string {
	if i >= len(a) || a[i].Type() != js.TypeString {
		return ""
	}
	return a[i].String()
}
