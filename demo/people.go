package demo

import (
	"slices"

	"elicense"
	"elicense/org"
)

// person makes a demo person's reference from the data.
func (d *Data) person(id string) elicense.HolderRef {
	for _, p := range d.orgs.Persons {
		if p.ID == id {
			return elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: p.Number, Name: p.Name}
		}
	}
	return elicense.HolderRef{}
}

func (d *Data) enterprise(id string) elicense.HolderRef {
	for _, e := range d.orgs.Enterprises {
		if e.ID == id {
			return elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: e.USCC, Name: e.Name}
		}
	}
	return elicense.HolderRef{}
}

// Accounts lists the accounts shown on the demo's sign-in page, by desk.
func Accounts() []Account {
	return []Account{
		{"持证人", "chen", "陈示例", "个人", "卡包里有身份证、结婚证、不动产权证书等"},
		{"持证人", "store", "鼓楼区示例便利店", "个体工商户", "正要申办烟草专卖零售许可证"},
		{"持证人", "canteen", "福州示例餐饮有限公司", "企业", "有营业执照和食品经营许可证"},
		{"签发", "draft-gl", "林制证", "福州市鼓楼区市场监督管理局", "录入办结、制证、登记类别、提出状态变更"},
		{"签发", "review-gl", "许审核", "福州市鼓楼区市场监督管理局", "审核照面、签章发布、复核状态变更"},
		{"签发", "both-gl", "林制证（兼审核）", "福州市鼓楼区市场监督管理局", "和“林制证”是同一个人，因此不能审核自己制的证"},
		{"窗口", "window-gl", "郑窗口", "福州市鼓楼区烟草专卖局", "收件、核对材料、查询证照"},
		{"窗口", "window2-gl", "王窗口", "福州市鼓楼区烟草专卖局", "同一单位的另一位经办人，看不到郑窗口的办件"},
		{"窗口", "window-food", "刘窗口", "福州市鼓楼区市场监督管理局", "食品经营许可窗口"},
		{"窗口", "window-hall", "许大厅", "福州市鼓楼区行政服务中心", "受委托为烟草、卫健、民政收件"},
		{"签发", "matters-yc", "曾事项", "福州市鼓楼区烟草专卖局", "登记事项和材料清单"},
		{"管理", "admin", "方管理", "福建省数据管理局", "核对和发布证照类别"},
		{"管理", "admin-2", "钟管理", "福建省数据管理局", "管理人员和业务系统，核对方管理提出的访问规则"},
		{"管理", "seals", "郑印章", "福建省数据管理局", "制作、备案和启用电子印章"},
		{"管理", "audit", "吴审计", "福建省大数据中心", "查看访问记录和证明"},
		{"管理", "inspect", "谢督查", "福建省机关效能建设领导小组办公室", "监督检查"},
		{"调取", "disclose-1", "余调取", "福州市公安局", "依法调取：提出（要有文书、条款和第二人）"},
		{"调取", "disclose-2", "潘复核", "福州市公安局", "依法调取：第二人同意"},
	}
}

// System is the demo's business system and its secret, for the API.
const (
	System       = "biz-gl"
	OfficeSystem = "biz-yc" // of an application unit: opens cases by ticket
	SystemSecret = "demo-business-system-2017"
)

// acceptors are the units whose windows accept applications.
var acceptors = []string{"yc-gl", "scjg-gl", "zwfw-gl", "jy-gl", "mz-gl", "bdc-fz"}

// staff builds the demo's accounts: those of Accounts, the registrars of the
// managing units, and a drafter, a reviewer and a business system of each issuer.
func (d *Data) staff() []org.Staff {
	all := []elicense.Duty{elicense.DutyDraft, elicense.DutyChange, elicense.DutyRegister}
	list := []org.Staff{
		d.holder("chen", d.person("p1"), elicense.HolderRef{}),
		d.holder("lin", d.person("p2"), elicense.HolderRef{}),
		d.holder("store", d.person("p4"), d.enterprise("e4")),
		d.holder("canteen", d.person("p1"), d.enterprise("e1")),
		d.member("draft-gl", "林制证", "scjg-gl", 101, all...),
		d.member("review-gl", "许审核", "scjg-gl", 102, elicense.DutyReview),
		d.member("both-gl", "林制证", "scjg-gl", 101, elicense.DutyReview, elicense.DutyDraft),
		d.member("window-gl", "郑窗口", "yc-gl", 0, elicense.DutyWindow),
		d.member("window2-gl", "王窗口", "yc-gl", 103, elicense.DutyWindow),
		d.member("window-food", "刘窗口", "scjg-gl", 104, elicense.DutyWindow),
		d.member("window-hall", "许大厅", "zwfw-gl", 109, elicense.DutyWindow),
		d.member("window-edu", "叶窗口", "jy-gl", 110, elicense.DutyWindow),
		d.member("window-civil", "蔡窗口", "mz-gl", 111, elicense.DutyWindow),
		d.member("window-land", "谢窗口", "bdc-fz", 112, elicense.DutyWindow),
		d.member("matters-yc", "曾事项", "yc-gl", 113, elicense.DutyMatters),
		d.member("matters-gl", "周事项", "scjg-gl", 114, elicense.DutyMatters),
		d.member("admin", "方管理", "dsj-fj", 105, elicense.DutyTypes, elicense.DutyAccounts),
		d.member("admin-2", "钟管理", "dsj-fj", 117, elicense.DutyAccounts),
		d.member("seals", "郑印章", "dsj-fj", 108, elicense.DutySeals),
		d.member("audit", "吴审计", "zc-fj", 106, elicense.DutyAudit),
		d.member("disclose-1", "余调取", "ga-fz", 115, elicense.DutyDisclose),
		d.member("disclose-2", "潘复核", "ga-fz", 116, elicense.DutyDisclose),
		d.member("inspect", "谢督查", "xn-fj", 107, elicense.DutySupervise),
		{Login: System, Secret: SystemSecret, Kind: elicense.System, Unit: d.Unit("scjg-gl"), Name: "鼓楼区市场监管审批系统",
			Duties: []elicense.Duty{elicense.DutySubmit}},
		{Login: OfficeSystem, Secret: SystemSecret, Kind: elicense.System, Unit: d.Unit("yc-gl"), Name: "鼓楼区烟草许可系统",
			Duties: []elicense.Duty{elicense.DutyWindow}},
	}
	var registrars, issuers []string
	n := 200
	for _, t := range d.types.Types {
		units := typeUnits[t.Code]
		if !slices.Contains(registrars, units[0]) {
			registrars = append(registrars, units[0])
			list = append(list, d.member("reg-"+units[0], d.name(n), units[0], n, elicense.DutyRegister))
			n++
		}
		for _, u := range units[1:] {
			if slices.Contains(issuers, u) {
				continue
			}
			issuers = append(issuers, u)
			list = append(list,
				d.member("make-"+u, d.name(n), u, n, elicense.DutyDraft, elicense.DutyChange),
				d.member("check-"+u, d.name(n+1), u, n+1, elicense.DutyReview))
			n += 2
		}
	}
	// Units that only take in applications have somebody who answers for their seal.
	for _, u := range acceptors {
		if !slices.Contains(issuers, u) {
			list = append(list, d.member("check-"+u, d.name(n), u, n, elicense.DutyReview))
			n++
		}
	}
	// One city's unit has somebody who proposes how its own licenses are made.
	return append(list, d.member("reg-scjg-xm", d.name(n), "scjg-xm", n, elicense.DutyRegister))
}

func (d *Data) holder(login string, person, of elicense.HolderRef) org.Staff {
	name := person.Name
	if of.Name != "" {
		name = of.Name
	}
	return org.Staff{Login: login, Secret: Password, Kind: elicense.Holder, Name: name, Person: person, Holder: of}
}

// member is a member of staff; n tells persons apart, 0 is 郑窗口 of the data.
func (d *Data) member(login, name, unit string, n int, duties ...elicense.Duty) org.Staff {
	ref := elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: citizen(n), Name: name}
	if n == 0 {
		ref = d.person("p6")
		ref.Name = name
	}
	return org.Staff{Login: login, Secret: Password, Kind: elicense.Staff, Unit: d.Unit(unit), Name: name, Person: ref, Duties: duties}
}

const (
	surnames = "陈林黄张吴李郑王刘苏杨许叶蔡谢郭洪邱曾周江庄肖方赖余潘柯高魏"
	given1   = "建丽志海秀文国小美玉晓永金宝淑俊明雅思嘉"
	given2   = "华芳强英平珍辉敏军霞杰琴龙燕斌萍勇娟伟兰"
)

// name makes the n-th invented name.
func (d *Data) name(n int) string {
	a, b, c := []rune(surnames), []rune(given1), []rune(given2)
	return string(a[n%len(a)]) + string(b[n/3%len(b)]) + string(c[n/7%len(c)])
}

// citizen makes the n-th invented identity number. Its prefix is a code of a
// prefecture, which residents' numbers practically never carry.
func citizen(n int) string {
	head := "350100" + []string{"1968", "1974", "1981", "1987", "1992", "1999"}[n%6] +
		[]string{"0115", "0309", "0521", "0712", "0904", "1126"}[n/6%6]
	seq := []byte{'0' + byte(n/100%10), '0' + byte(n/10%10), '0' + byte(n%10)}
	return withCheck(head + string(seq))
}

// withCheck adds the check character of GB 11643.
func withCheck(n string) string {
	for _, c := range "0123456789X" {
		if s := n + string(c); elicense.IDNumber(s).Check("2026-01-01") == elicense.CodeGood {
			return s
		}
	}
	return ""
}

// company makes the code of the n-th invented enterprise: a subject code FJDEM
// with its check, and the check of GB 32100.
func company(prefix string, n int) string {
	subject := "FJDEM" + string([]byte{'0' + byte(n/100%10), '0' + byte(n/10%10), '0' + byte(n%10)})
	sum := 0
	for i, w := range []int{3, 7, 9, 10, 5, 8, 4, 2} {
		v := int(subject[i] - '0')
		if subject[i] >= 'A' {
			v = int(subject[i]-'A') + 10
		}
		sum += v * w
	}
	check := "0123456789X0"[11-sum%11]
	for _, c := range "0123456789ABCDEFGHJKLMNPQRTUWXY" {
		if code := prefix + subject + string(check) + string(c); elicense.UnitCode(code).Check() == elicense.CodeGood {
			return code
		}
	}
	return ""
}

// Trainee is a clerk of the hall who practises on the demo: an account of his own,
// so that what he has done is told from what others did.
func (d *Data) Trainee(login string) org.Staff {
	return d.member(login, "练习员", "zwfw-gl", 199, elicense.DutyWindow)
}

// Holders lists the natural persons the demo's licenses are about, whom no member of
// staff shares his name with: who is found in a page by his name is a holder.
func (d *Data) Holders() (list []elicense.HolderRef) {
	staff := map[string]bool{}
	for _, s := range d.staff() {
		if s.Kind == elicense.Staff {
			staff[s.Name] = true
		}
	}
	for _, p := range d.persons() {
		if !staff[p.ref.Name] {
			list = append(list, p.ref)
		}
	}
	return list
}
