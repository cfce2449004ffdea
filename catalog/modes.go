package catalog

import (
	"context"
	"io"
	"slices"

	"elicense"
	"elicense/store"
	"elicense/table"
)

// ModeLine is how the licenses of a type are made at one of its issuing units.
type ModeLine struct {
	Code     elicense.TypeCode
	TypeName string
	Keeper   elicense.UnitCode // registers the type and sets its modes
	Unit     elicense.UnitCode
	Mode     Mode      // that holds at the unit
	Type     Mode      // as the type is registered
	Set      *UnitMode // nil where the type decides and always did; its Origin is AsRegistered since it was taken back
}

// Modes lists how the types in force are made at each of their issuing units, as the
// catalog lists what is in force.
func (c *Catalog) Modes(ctx context.Context) (list []ModeLine, err error) {
	all, err := c.All(ctx)
	if err != nil {
		return nil, err
	}
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list = nil
		for _, t := range all {
			if t.State != Published {
				continue
			}
			set, err := unitModes(tx, `WHERE code = $1`, t.Code)
			if err != nil {
				return err
			}
			for _, u := range t.Issuers {
				l := ModeLine{Code: t.Code, TypeName: t.Name, Keeper: t.Unit, Unit: u, Type: t.Mode}
				if i := slices.IndexFunc(set, func(m *UnitMode) bool { return m.Unit == u }); i >= 0 {
					l.Set = set[i]
				}
				if l.Mode, err = ModeFor(tx, t, u); err != nil {
					return err
				}
				list = append(list, l)
			}
		}
		return nil
	})
	return list, err
}

// The columns of a table of modes.
var modeColumns = []string{"证照类型代码", "证照类型名称", "签发单位代码", "签发单位", "现行生成方式", "来源", "理由", "依据"}

// ExportModes writes lines as a table that ImportModes reads; names are those of units.
func ExportModes(w io.Writer, lines []ModeLine, names map[elicense.UnitCode]string) error {
	return table.CSV(w, func(write func([]string) error) error {
		err := write(modeColumns)
		for _, l := range lines {
			row := []string{string(l.Code), l.TypeName, string(l.Unit), names[l.Unit], l.Mode.Chinese(), "", "", ""}
			if m := l.Set; m != nil && m.Origin != AsRegistered {
				row[5], row[6], row[7] = m.Origin.Chinese(), m.Reason, m.Basis
			}
			if err == nil {
				err = write(row)
			}
		}
		return err
	})
}

// ImportModes sets the modes of a table, each row by itself, as SetMode does; a row
// without an origin leaves its unit as it is.
//
// Errors: Invalid or TooLarge of the file as a whole; Forbidden if the law refuses
// every row.
func (c *Catalog) ImportModes(ctx context.Context, actor *elicense.Actor, file []byte) (list []Imported, err error) {
	unreadable := func(err error) error {
		return elicense.E(elicense.Invalid, "文件看不懂：要Excel工作簿（xlsx）或CSV文本").At("file").Then("请从这一页导出一份改").Because(err)
	}
	known, err := c.Modes(ctx)
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	err = readTable(file, unreadable, func(first table.Row) error {
		for n, title := range first.Texts() {
			at[title] = n
		}
		for _, title := range []string{modeColumns[0], modeColumns[2], modeColumns[5], modeColumns[6], modeColumns[7]} {
			if _, there := at[title]; !there {
				return elicense.E(elicense.Invalid, "缺少“%s”这一列", title).At("file").Then("请从这一页导出一份改")
			}
		}
		return nil
	}, func(row table.Row) error {
		if len(list) == maxImport {
			return elicense.E(elicense.TooLarge, "一个文件最多%d行", maxImport).At("file").Then("请分成几个文件")
		}
		cells := row.Texts()
		cell := func(n int) string {
			if i, there := at[modeColumns[n]]; there && i < len(cells) {
				return cells[i]
			}
			return ""
		}
		if cell(5) == "" {
			return nil
		}
		m := UnitMode{Code: elicense.TypeCode(cell(0)), Unit: elicense.UnitCode(cell(2)), Origin: meant(originWords, cell(5)), Reason: cell(6), Basis: cell(7)}
		one := Imported{Line: row.Line, Code: noted(m.Code), Name: cell(1)}
		one.Same = slices.ContainsFunc(known, func(l ModeLine) bool {
			return l.Set != nil && l.Code == m.Code && l.Unit == m.Unit && l.Set.Origin == m.Origin && l.Set.Reason == m.Reason && l.Set.Basis == m.Basis
		})
		if !one.Same {
			one.Err = c.SetMode(ctx, actor, m)
			if k := elicense.KindOf(one.Err); one.Err != nil && (k == elicense.Unavailable || k == elicense.Internal) {
				return one.Err
			}
		}
		list = append(list, one)
		return nil
	})
	if err != nil {
		return list, err
	}
	allowed := func(x Imported) bool { return !elicense.IsKind(x.Err, elicense.Forbidden) }
	if len(list) > 0 && !slices.ContainsFunc(list, allowed) {
		return nil, list[0].Err
	}
	return list, nil
}
