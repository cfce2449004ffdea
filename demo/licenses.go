package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"elicense"
	"elicense/issuance"
	"elicense/lifecycle"
)

// historyDays is how far back the demo's licenses reach.
const historyDays = 700

type citizenOf struct {
	ref elicense.HolderRef
	sex string
}

type companyOf struct {
	ref   elicense.HolderRef
	legal string // 法定代表人
	kind  string
	place string
}

const (
	peopleMade    = 70
	companiesMade = 110
)

// persons lists the demo's citizens: those of the data, then invented ones.
func (d *Data) persons() []citizenOf {
	var list []citizenOf
	for _, p := range d.orgs.Persons {
		list = append(list, citizenOf{elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: p.Number, Name: p.Name}, p.Sex})
	}
	for i := range peopleMade {
		n := 400 + i
		code := citizen(n)
		list = append(list, citizenOf{
			elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: code, Name: d.name(n)}, []string{"女", "男"}[code[16]%2],
		})
	}
	return list
}

var (
	roads  = []string{"五四路", "湖东路", "古田路", "东街", "津泰路", "通湖路", "西洪路", "华林路", "北环中路", "鼓屏路"}
	names  = []string{"闽榕", "海峡", "左海", "屏山", "三坊", "乌塔", "金汤", "晋安河", "茉莉", "福橘", "青云", "白鹭", "鲤城", "丹霞"}
	trades = []string{"餐饮管理", "食品贸易", "物流", "建筑工程", "装饰设计", "检测技术", "养老服务", "酒店管理", "信息技术", "百货"}
)

// companies lists the demo's enterprises: those of the data, then invented ones.
func (d *Data) companies() []companyOf {
	var list []companyOf
	for i, e := range d.orgs.Enterprises {
		legal := d.orgs.Persons[0].Name
		if i > 0 {
			legal = d.name(400 + i)
		}
		kind := "有限责任公司(自然人投资或控股)"
		switch e.ID {
		case "e4":
			legal, kind = d.person("p4").Name, "个体工商户"
		case "e5":
			kind = "民办非企业单位"
		}
		list = append(list, companyOf{
			elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: e.USCC, Name: e.Name}, legal, kind, place(i),
		})
	}
	for i := range companiesMade {
		name := "福州市" + names[i%len(names)] + trades[i/3%len(trades)] + number(i)[2:] + "有限公司"
		list = append(list, companyOf{
			elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: company("91350102", 500+i), Name: name},
			d.name(400 + i%peopleMade), "有限责任公司", place(i + 7),
		})
	}
	return list
}

func place(i int) string {
	return fmt.Sprintf("福州市鼓楼区%s%d号%d层%02d室", roads[i%len(roads)], 12+i*7%180, 1+i%9, 1+i%24)
}

func number(n int) string { return fmt.Sprintf("%04d", n) }

// due is one license the demo is to have.
type due struct {
	short   string
	unit    string
	day     int // days before now
	holders []elicense.HolderRef
	fields  map[string]string
}

// plan lists the licenses of the demo, the oldest first.
func (d *Data) plan(now time.Time) []due {
	g := &generator{d: d, rand: rand.New(rand.NewPCG(2017, 7)), now: now, photos: map[string]string{}}
	for i, t := range d.Types() {
		if t.Mode.Made() && t.Field("photo") != nil {
			g.photos[d.types.Types[i].Code] = t.Sample(elicense.DateOf(now))["photo"]
		}
	}
	g.organizations()
	g.people()
	sort.SliceStable(g.list, func(i, j int) bool { return g.list[i].day > g.list[j].day })
	return g.list
}

type generator struct {
	d    *Data
	rand *rand.Rand
	now  time.Time
	list []due
	seq  int

	photos map[string]string // of nobody, by type
}

// date is the day n days before now.
func (g *generator) date(n int) elicense.Date { return elicense.DateOf(g.now.AddDate(0, 0, -n)) }

func (g *generator) add(short, unit string, day int, holder elicense.HolderRef, fields map[string]string) {
	if p := g.photos[short]; p != "" {
		fields["photo"] = p
	}
	g.list = append(g.list, due{short, unit, day, []elicense.HolderRef{holder}, fields})
}

func (g *generator) next() int { g.seq++; return g.seq }

func (g *generator) organizations() {
	// The maternity hospital and the testing body must hold their own qualification
	// before they issue anything.
	hospital := g.d.unit["fby-gl"]
	opened := g.date(historyDays)
	g.add("T15", "wj-gl", historyDays, elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: hospital.USCC, Name: hospital.Name}, map[string]string{
		"holder_name": hospital.Name, "uscc": hospital.USCC, "legal_rep": "林示样", "principal": "林示样", "address": "福州市鼓楼区示例路27号", "subjects": "妇产科\n儿科\n妇女保健科",
		"beds": "120", "reg_no": "PDY350102001", "valid_from": string(opened), "valid_to": string(opened.AddYears(15, true)),
	})
	body := g.d.unit["jcjg-qz"]
	since := g.date(historyDays)
	g.add("T24", "scjg-fj", historyDays, elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: body.USCC, Name: body.Name}, map[string]string{
		"holder_name": body.Name, "uscc": body.USCC, "address": "泉州市丰泽区示例路18号", "cert_no": "251300000001", "scope": "公共场所空气|GB/T 18204.2-2014||",
		"issue_date": string(since), "valid_to": string(since.AddYears(6, true)),
	})
	scope := "餐饮服务；食品销售（仅销售预包装食品）；餐饮管理；会议及展览服务；日用百货销售；食用农产品零售；企业管理咨询；广告制作；停车场服务。" +
		"（除依法须经批准的项目外，凭营业执照依法自主开展经营活动）"
	for i, c := range g.d.companies() {
		day := 60 + g.rand.IntN(historyDays-60)
		founded := g.date(day + 400 + g.rand.IntN(2000))
		ref, legal := c.ref, c.legal
		if ref.Code[:2] != "52" {
			g.add("T01", "scjg-gl", day, ref, map[string]string{
				"holder_name": ref.Name, "uscc": ref.Code, "entity_type": c.kind, "legal_rep": legal, "capital": fmt.Sprintf("%d万元", 50+10*(i%30)),
				"established": string(founded), "address": c.place, "scope": scope, "reg_date": string(g.date(day)),
			})
		} else {
			g.add("T23", "mz-gl", day, ref, map[string]string{
				"holder_name": ref.Name, "uscc": ref.Code, "legal_rep": legal, "address": c.place, "scope": "养老服务、康复护理、社区照料", "capital": "30万元",
				"supervisor": "福州市鼓楼区民政局", "valid_from": string(g.date(day)), "valid_to": string(g.date(day).AddYears(4, true)),
			})
		}
		later := day - 10 - g.rand.IntN(40)
		g.special(i, c, later)
	}
}

// special gives some enterprises the licenses of their trade.
func (g *generator) special(i int, c companyOf, day int) {
	issued, ref := g.date(day), c.ref
	seq := g.next()
	if i != 3 && (i == 0 || i%2 == 0) && ref.Code[:2] == "91" {
		g.add("T02", "scjg-gl", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "legal_rep": c.legal, "address": c.place, "premises": c.place, "business_form": "餐饮服务经营者",
			"items": "热食类食品制售\n冷食类食品制售\n自制饮品制售", "license_no": elicense.FoodLicenseNumber("JY", "2350102"+fmt.Sprintf("%06d", seq)), "daily_org": "福州市鼓楼区市场监督管理局东街市场监督管理所", "hotline": "12315",
			"issue_date": string(issued), "valid_to": string(issued.AddYears(5, true)),
		})
	}
	switch {
	case i%9 == 1:
		g.add("T12", "jt-fz", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "address": c.place, "scope": "普通货运\n货物专用运输（冷藏保鲜）",
			"license_no": fmt.Sprintf("闽交运管许可榕字3501%08d号", seq), "issue_date": string(issued), "valid_to": string(issued.AddYears(4, true)),
		})
		for v := range 3 {
			g.add("T13", "jt-fz", day, ref, map[string]string{
				"owner": ref.Name, "plate": fmt.Sprintf("闽AD%05d", 10000+seq*3+v), "license_no": fmt.Sprintf("榕交运管货字3501%08d号", seq*3+v),
				"vehicle_type": "重型厢式货车", "tonnage": "18吨", "address": c.place, "size_mm": "9000×2550×3980", "scope": "普通货运", "issue_date": string(issued), "audit_to": string(g.date(day - 365)),
			})
		}
	case i%9 == 2:
		g.add("T16", "zj-fj", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "legal_rep": c.legal, "capital": "1000万元", "address": c.place, "cert_no": fmt.Sprintf("D335%06d", seq),
			"grades": "建筑工程施工总承包二级\n市政公用工程施工总承包三级", "issue_date": string(issued), "valid_to": string(issued.AddYears(5, true)),
		})
		g.add("T17", "zj-fj", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "principal": c.legal, "address": c.place, "scope": "建筑施工", "econ_type": c.kind,
			"cert_no": fmt.Sprintf("(闽)JZ安许证字〔2025〕%06d", seq), "valid_from": string(issued), "valid_to": string(issued.AddYears(3, true)),
		})
	case i%9 == 3:
		g.add("T14", "wj-gl", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "legal_rep": c.legal, "premises": c.place, "items": "宾馆\n理发店",
			"license_no": fmt.Sprintf("闽卫公证字〔2025〕第3501%05d号", seq), "issue_date": string(issued), "valid_to": string(issued.AddYears(4, true)),
		})
	case i%9 == 4:
		g.add("T26", "jcjg-qz", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "report_no": fmt.Sprintf("QZJC2025-%05d", seq), "sample": "公共场所室内空气", "basis": "GB 37488-2019",
			"conclusion": "符合要求", "issue_date": string(issued), "test_kind": "委托检验", "approver": "王示范", "reviewer": "李例", "tester": "张样",
		})
	case i%27 == 5:
		g.add("T24", "scjg-fj", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "address": c.place, "cert_no": fmt.Sprintf("25131%07d", seq), "scope": "公共场所卫生检测；水质检测",
			"issue_date": string(issued), "valid_to": string(issued.AddYears(6, true)),
		})
	case i%27 == 6:
		g.add("T25", "scjg-fz", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "legal_rep": c.legal, "address": c.place, "issue_date": "2013-05-20",
		})
	case i%27 == 7:
		g.add("T15", "wj-gl", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "legal_rep": c.legal, "principal": c.legal, "address": c.place, "subjects": "内科\n外科\n口腔科\n中医科",
			"beds": "40", "reg_no": fmt.Sprintf("PDY%09d", seq), "valid_from": string(issued), "valid_to": string(issued.AddYears(5, true)),
		})
	case i%27 == 8:
		g.add("T03", "scjg-fz", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "legal_rep": c.legal, "address": c.place, "categories": "糕点\n饼干\n茶叶及相关制品", "domicile": c.place, "hotline": "12315", "details": "糕点|2401|热加工糕点|烘烤类糕点|\n饼干|0801|饼干|酥性饼干|\n茶叶及相关制品|1401|茶叶|茉莉花茶|分装",
			"license_no": elicense.FoodLicenseNumber("SC", "1063501"+fmt.Sprintf("%06d", seq)), "valid_to": string(issued.AddYears(5, true)),
		})
		g.add("T18", "zrzy-fz", day, ref, map[string]string{
			"permit_no": fmt.Sprintf("建字第3501022025%05d号", seq), "owner": ref.Name, "project": "厂房及配套宿舍", "location": c.place, "scale": "总建筑面积12600平方米",
			"issue_date": string(issued),
		})
	case i%27 == 16:
		g.add("T22", "yc-gl", day, ref, map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "principal": c.legal, "premises": c.place, "scope": "卷烟零售；雪茄烟零售", "supplier": "福州市烟草公司",
			"license_no": fmt.Sprintf("350102%06d", seq), "valid_from": string(issued), "valid_to": string(issued.AddYears(5, true)),
		})
	}
}

// p4 is the place of 吴老样, whose identity card the nation has not returned yet.
const p4 = 3

func (g *generator) people() {
	people := g.d.persons()
	for i, p := range people {
		code, ref, seq := p.ref.Code, p.ref, g.next()
		birth := birthOf(ref)
		issued := g.date(60 + g.rand.IntN(historyDays-60))
		home := place(i + 31)
		if i != p4 {
			g.add("T04", "ga-fz", historyDays-i, ref, map[string]string{
				"name": ref.Name, "id_no": code, "sex": p.sex, "ethnic": "汉", "birth": birth, "address": home, "authority": "福州市公安局鼓楼分局",
				"valid_from": "2018-03-01", "valid_to": "2038-03-01",
			})
		}
		day := 30 + g.rand.IntN(historyDays-60)
		if i%2 == 0 || i == p4 {
			g.add("T09", "bdc-fz", day, ref, map[string]string{
				"cert_no": fmt.Sprintf("闽(2025)福州市不动产权第%07d号", 9000000+seq), "owners": ref.Name, "owner_ids": code, "share_mode": "单独所有",
				"location": home, "unit_no": fmt.Sprintf("350102001001GB%05dF%08d", 100+seq, seq), "right_type": "国有建设用地使用权/房屋所有权",
				"right_nature": "出让/市场化商品房", "usage": "城镇住宅用地/成套住宅", "area": fmt.Sprintf("%d.%02d", 70+i%60, i%100),
				"term": "国有建设用地使用权2070年12月31日止", "reg_date": string(g.date(day)),
			})
		}
		switch i % 6 {
		case 1:
			g.add("T21", "jy-gl", day, ref, map[string]string{
				"name": ref.Name, "id_no": code, "sex": p.sex, "birth": birth, "cert_no": fmt.Sprintf("2025350102%07d", seq), "kind": "初级中学教师资格", "subject": "语文", "ethnic": "汉族",
				"issue_date": string(g.date(day)),
			})
		case 3:
			g.add("T10", "ga-fz", day, ref, map[string]string{
				"name": ref.Name, "id_no": code, "classes": "C1", "first_issue": "2016-05-18", "valid_from": "2022-05-18", "valid_to": "2032-05-18", "file_no": fmt.Sprintf("3501%08d", seq),
			})
			g.add("T11", "ga-fz", day, ref, map[string]string{
				"plate": fmt.Sprintf("闽A%05d", 20000+seq), "vehicle_type": "小型轿车", "owner": ref.Name, "usage": "非营运", "model": "示例牌SL7180", "vin": fmt.Sprintf("LSLDEM0000%07d", seq),
				"engine_no": fmt.Sprintf("E%07d", seq), "reg_date": "2021-04-09", "inspect_to": "2027-04-30",
			})
		case 4:
			g.add("T20", "rs-fj", day, ref, map[string]string{
				"name": ref.Name, "id_no": code, "card_no": fmt.Sprintf("FJ%07d", seq), "bank": "示例银行", "issue_date": string(issued),
			})
		case 5:
			g.add("T19", "cl-gl", day, ref, map[string]string{
				"name": ref.Name, "id_no": code, "cert_no": code + "41", "category": "肢体", "grade": "一级", "address": home, "issue_date": string(g.date(day)),
				"valid_to": string(g.date(day).AddYears(10, true)),
			})
		}
	}
	g.families(people)
}

// birthOf is the day a citizen's number says.
func birthOf(p elicense.HolderRef) string {
	return p.Code[6:10] + "-" + p.Code[10:12] + "-" + p.Code[12:14]
}

// families adds the licenses that name several people.
func (g *generator) families(people []citizenOf) {
	for i := 0; i+1 < 24; i += 2 {
		a, b, seq := people[i].ref, people[i+1].ref, g.next()
		day := 40 + g.rand.IntN(historyDays-80)
		reg := string(g.date(day))
		g.list = append(g.list, due{"T06", "mz-gl", day, []elicense.HolderRef{a, b}, map[string]string{
			"cert_no": fmt.Sprintf("J350102-2025-%06d", seq), "name_a": a.Name, "id_a": a.Code, "name_b": b.Name, "id_b": b.Code, "reg_date": reg,
			"authority": "福州市鼓楼区民政局婚姻登记处", "holder": a.Name, "sex_a": people[i].sex, "sex_b": people[i+1].sex, "nation_a": "中国", "nation_b": "中国",
			"birth_a": birthOf(a), "birth_b": birthOf(b), "photo": g.photos["T06"],
		}})
		if i%8 == 6 {
			g.add("T07", "mz-gl", day-20, people[40+i].ref, map[string]string{
				"cert_no": fmt.Sprintf("L350102-2025-%06d", seq), "name": people[40+i].ref.Name, "id_no": people[40+i].ref.Code, "reg_date": string(g.date(day - 20)),
				"authority": "福州市鼓楼区民政局婚姻登记处",
			})
		}
	}
	lin := people[1].ref
	g.add("T19", "cl-gl", 300, lin, map[string]string{
		"name": lin.Name, "id_no": lin.Code, "cert_no": lin.Code + "42", "category": "听力", "grade": "二级", "address": place(31), "issue_date": string(g.date(300)),
		"valid_to": string(g.date(300).AddYears(10, true)),
	})
	child := g.d.person("p5")
	g.add("T08", "fby-gl", 500, child, map[string]string{
		"cert_no": "Y350000123", "child_name": child.Name, "sex": "男", "birth_time": "2024-05-18 08:20", "birth_place": "福州市鼓楼区妇幼保健院",
		"mother_name": people[1].ref.Name, "mother_id": people[1].ref.Code, "father_name": people[0].ref.Name, "father_id": people[0].ref.Code,
		"issuer_name": "福州市鼓楼区妇幼保健院", "issue_date": string(g.date(500)), "gest_weeks": "39", "weight_g": "3250", "length_cm": "50",
		"mother_nation": "中国", "father_nation": "中国", "mother_ethnic": "汉族", "father_ethnic": "汉族", "mother_addr": place(31), "father_addr": place(31),
	})
	expires := g.date(-24) // renewed at the ministry before that
	g.add("T10", "ga-fz", 470, people[driverRenewed].ref, map[string]string{
		"name": people[driverRenewed].ref.Name, "id_no": people[driverRenewed].ref.Code, "classes": "C1", "first_issue": string(expires.AddYears(-6, false)),
		"valid_from": string(expires.AddYears(-6, false)), "valid_to": string(expires), "file_no": "350100000017",
	})
	g.add("T05", "ga-fz", 480, people[0].ref, map[string]string{
		"head": people[0].ref.Name, "hukou_no": "350100000001", "hukou_type": "家庭户", "address": place(31),
		"members": people[0].ref.Name + " 户主\n" + people[1].ref.Name + " 配偶\n" + child.Name + " 子",
	})
}

// licenses makes the plan's licenses, day by day, as their units would.
func (d *Data) licenses(ctx context.Context, p Platform, clock *Clock, now time.Time) error {
	actors := &actors{p: p, byLogin: map[string]*elicense.Actor{}, made: map[string]elicense.LicenseID{}}
	all := d.plan(now)
	for plan := all; len(plan) > 0; {
		day := plan[0].day
		n := slices.IndexFunc(plan, func(x due) bool { return x.day != day })
		if n < 0 {
			n = len(plan)
		}
		clock.set(elicense.DateOf(now.AddDate(0, 0, -day)).Start().Add(9*time.Hour + 30*time.Minute))
		if err := d.makeDay(ctx, p, actors, clock, plan[:n]); err != nil {
			return err
		}
		plan = plan[n:]
	}
	if p.Fonts {
		if err := d.terms(ctx, p, actors, clock, now); err != nil {
			return fmt.Errorf("what is due and late: %w", err)
		}
	}
	if err := d.days(ctx, p, actors, clock, now); err != nil {
		return err
	}
	clock.set(now.Add(-26 * time.Hour))
	if p.Fonts {
		if err := d.stock(ctx, p, actors, elicense.DateOf(now)); err != nil {
			return fmt.Errorf("stock: %w", err)
		}
		if err := d.disclosed(ctx, p, actors, elicense.DateOf(clock.Now())); err != nil {
			return fmt.Errorf("disclosed: %w", err)
		}
	}
	if err := d.rules(ctx, p, actors); err != nil {
		return fmt.Errorf("local rules: %w", err)
	}
	if err := d.changes(ctx, p, actors); err != nil {
		return err
	}
	if err := d.driving(ctx, p, actors, all, now); err != nil {
		return fmt.Errorf("driving licenses: %w", err)
	}
	if p.Fonts {
		if err := d.lately(ctx, p, actors, clock, now); err != nil {
			return err
		}
	}
	if err := d.drivingChanged(ctx, p, actors, now); err != nil {
		return fmt.Errorf("driving licenses: %w", err)
	}
	return nil
}

// lately is what happens within the last minutes.
func (d *Data) lately(ctx context.Context, p Platform, actors *actors, clock *Clock, now time.Time) error {
	clock.set(now.Add(-20 * time.Minute))
	if err := d.toDisclose(ctx, p, actors); err != nil {
		return fmt.Errorf("to be disclosed: %w", err)
	}
	return d.today(ctx, p, actors, clock)
}

// makeDay makes the licenses of one day side by side and waits until they are
// published.
func (d *Data) makeDay(ctx context.Context, p Platform, a *actors, clock *Clock, list []due) error {
	var wg sync.WaitGroup
	errs := make([]error, len(list))
	for i, x := range list {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = d.makeOne(ctx, p, a, clock, x)
		}()
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("license %s of %s: %w", list[i].short, list[i].unit, err)
		}
	}
	return waitPublished(ctx, p)
}

// waitPublished waits until all that was approved is published.
func waitPublished(ctx context.Context, p Platform) error {
	for range 20_000 {
		waiting, err := p.Issuer.Waiting(ctx)
		if err != nil || waiting == 0 {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	return errNotPublished
}

func (d *Data) makeOne(ctx context.Context, p Platform, a *actors, clock *Clock, x due) error {
	drafter, err := a.get(ctx, "make-"+x.unit)
	if err != nil {
		return err
	}
	code := d.TypeCode(x.short)
	t, err := p.Catalog.Version(ctx, code, 1)
	if err != nil {
		return err
	}
	issued := elicense.DateOf(clock.Now())
	if !t.Mode.Made() {
		contact := clock.machine()
		if x.short == "T10" && p.Ministry != nil {
			contact = clock.Now() // its source says later how it stands
		}
		id, err := p.Issuer.Refer(ctx, drafter, issuance.Reference{
			Type: code, Holders: x.holders, Fields: x.fields, IssuedOn: issued, ValidFrom: elicense.Date(x.fields[t.Roles.ValidFrom]),
			ValidTo: elicense.Date(x.fields[t.Roles.ValidTo]), Source: source(x.short), Contact: contact,
		})
		a.note(x, id)
		return err
	}
	if !p.Fonts {
		return nil
	}
	draft, err := p.Issuer.Complete(ctx, drafter, issuance.Completion{
		Case: fmt.Sprintf("%s-%s-%s", strings.ToUpper(x.unit), x.short, x.fields[t.Roles.Number]), Type: code, Closed: clock.Now(), Holders: x.holders,
		Fields: x.fields, IssuedOn: issued, DocNo: "",
	})
	if err != nil {
		return err
	}
	a.note(x, draft.License)
	if draft.State != issuance.InReview {
		return fmt.Errorf("draft %s is %s: %v, %s", draft.ID, draft.State, draft.Findings, draft.Comparison.Outcome)
	}
	reviewer, err := a.get(ctx, "check-"+x.unit)
	if err != nil {
		return err
	}
	return p.Issuer.Approve(ctx, reviewer, draft.ID, draft.Seq, "")
}

// source names the national system a reference comes from.
func source(short string) string {
	switch short {
	case "T10":
		return ministryName
	case "T20":
		return "人社部社会保障卡系统"
	case "T22":
		return "国家烟草专卖局证件系统"
	case "T25":
		return "税务登记存量库"
	}
	return "公安部人口与交管系统"
}

// actors remembers the demo's actors by login, and what they made.
type actors struct {
	p  Platform
	mu sync.Mutex

	byLogin map[string]*elicense.Actor
	made    map[string]elicense.LicenseID // by type and the first holder's code
}

func (a *actors) note(x due, id elicense.LicenseID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.made[x.short+x.holders[0].Code] = id
}

func (a *actors) get(ctx context.Context, login string) (*elicense.Actor, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if who := a.byLogin[login]; who != nil {
		return who, nil
	}
	who, err := a.p.Org.ActorByLogin(ctx, login, "demo")
	if err != nil {
		return nil, fmt.Errorf("actor %s: %w", login, err)
	}
	a.byLogin[login] = who
	return who, nil
}

// change is a change of state the demo has seen.
type change struct {
	short, unit string
	holder      elicense.HolderRef
	kind        elicense.EventKind
	doc, reason string
}

// changes lets some licenses be suspended, pledged, revoked, cancelled and
// abolished, each proposed by one person and reviewed by another.
func (d *Data) changes(ctx context.Context, p Platform, a *actors) error {
	firms, people := d.companies(), d.persons()
	for _, c := range []change{
		{"T02", "scjg-gl", firms[6].ref, elicense.EventRevoke, "鼓市监罚〔2026〕77号", "使用过期食品原料，情节严重"},
		{"T02", "scjg-gl", firms[8].ref, elicense.EventSuspend, "鼓市监停〔2026〕12号", "责令停业整顿"},
		{"T01", "scjg-gl", firms[11].ref, elicense.EventCancel, "鼓市监销〔2026〕301号", "企业申请注销"},
		{"T09", "bdc-fz", people[p4].ref, elicense.EventPledge, "榕不动产押〔2026〕0815号", "抵押登记，抵押权人示例银行"},
		{"T09", "bdc-fz", people[8].ref, elicense.EventSealUp, "（2026）闽0102执保123号", "人民法院查封"},
		{"T17", "zj-fj", firms[20].ref, elicense.EventSuspend, "闽建罚〔2026〕9号", "暂扣30日"},
		{"T12", "jt-fz", firms[10].ref, elicense.EventSuspend, "榕交罚〔2026〕45号", "停业整顿"},
		{"T10", "ga-fz", people[driverSuspended].ref, elicense.EventSuspend, "榕公交〔2026〕88号", "逾期未审验"},
	} {
		if err := d.change(ctx, p, a, c); err != nil {
			return fmt.Errorf("%s of %s: %w", c.kind, c.short, err)
		}
	}
	return d.abolish(ctx, p, a)
}

func (d *Data) change(ctx context.Context, p Platform, a *actors, c change) error {
	id, made := a.made[c.short+c.holder.Code]
	if !made {
		if !p.Fonts {
			return nil
		}
		return fmt.Errorf("the holder has no %s", c.short)
	}
	who, err := a.get(ctx, "make-"+c.unit)
	if err != nil {
		return err
	}
	return d.happen(ctx, p, a, c, who, id)
}

func (d *Data) happen(ctx context.Context, p Platform, a *actors, c change, who *elicense.Actor, id elicense.LicenseID) error {
	reviewer, err := a.get(ctx, "check-"+c.unit)
	if err != nil {
		return err
	}
	made, err := p.Lifecycle.Propose(ctx, who, lifecycle.Change{License: id, Kind: c.kind, DocNo: c.doc, Reason: c.reason})
	if err != nil {
		return err
	}
	return p.Lifecycle.Decide(ctx, reviewer, made.ID, true, "")
}

// abolish ends the type T25 and all its licenses (三证合一).
func (d *Data) abolish(ctx context.Context, p Platform, a *actors) error {
	c := change{"T25", "scjg-fz", elicense.HolderRef{}, elicense.EventAbolish, "国办发〔2015〕50号", "三证合一，税务登记证不再使用"}
	who, err := a.get(ctx, "make-"+c.unit)
	if err != nil {
		return err
	}
	lics, err := p.Issuer.IssuedOf(ctx, who, d.TypeCode(c.short))
	if err != nil {
		return err
	}
	for _, l := range lics {
		if err := d.happen(ctx, p, a, c, who, l.ID); err != nil {
			return err
		}
	}
	admin, err := a.get(ctx, "admin")
	if err != nil {
		return err
	}
	return p.Catalog.Retire(ctx, admin, d.TypeCode(c.short), c.reason)
}
