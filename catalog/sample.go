package catalog

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"strings"

	"elicense"
	"elicense/face"
	"elicense/sheet"
)

// samples are invented values by key, for showing a face. Where a type needs its
// own, the key has the license's name before it.
var samples = map[string]string{
	"holder_name": "福州市鼓楼区榕荫里小吃店", "legal_rep": "林示例", "principal": "林示例", "name": "陈样本", "owner": "福州示例物流有限公司",
	"entity_type": "有限责任公司(自然人投资或控股)", "capital": "壹佰万圆整", "term": "长期", "business_form": "餐饮服务经营者（小型餐馆）",
	"address": "福建省福州市鼓楼区东街街道示例路100号1号楼3层302室", "premises": "福建省福州市鼓楼区东街街道示例路100号1层", "domicile": "福建省福州市鼓楼区示例路88号",
	"scope": "餐饮服务；食品销售（仅销售预包装食品）；餐饮管理；会议及展览服务；日用百货销售；食用农产品零售；企业管理咨询。（除依法须经批准的项目外，凭营业执照依法自主开展经营活动）",
	"items": "热食类食品制售\n冷食类食品制售\n自制饮品制售（不含自酿酒）", "daily_org": "福州市鼓楼区市场监督管理局东街市场监督管理所", "daily_staff": "张样、李例",
	"hotline": "12315", "signer": "王示范", "categories": "糕点\n饼干\n茶叶及相关制品\n糖果制品", "details": "糕点|2401|热加工糕点|烘烤类糕点：酥类、松酥类|\n饼干|0801|饼干|酥性饼干、韧性饼干|\n茶叶及相关制品|1401|茶叶|茉莉花茶|分装",
	"name_a": "陈样本", "name_b": "林示例", "holder": "陈样本", "nation_a": "中国", "nation_b": "中国", "sex_a": "男", "sex_b": "女", "sex": "女",
	"birth_a": "1992-03-08", "birth_b": "1993-11-20", "birth": "1990-06-15", "authority": "福州市鼓楼区民政局婚姻登记处", "id_b": "350102199311200022",
	"child_name": "陈小样", "birth_time": "2026年05月18日08时20分", "birth_place": "福建省福州市鼓楼区", "issuer_name": "福州市鼓楼区示例妇幼保健院",
	"mother_name": "林示例", "father_name": "陈样本", "gest_weeks": "39", "weight_g": "3250", "length_cm": "50", "mother_age": "32", "father_age": "34",
	"mother_nation": "中国", "father_nation": "中国", "mother_ethnic": "汉族", "father_ethnic": "畲族", "mother_addr": "福建省福州市鼓楼区示例路100号302室", "father_addr": "福建省福州市鼓楼区示例路100号302室",
	"owners": "陈样本\n林示例", "owner_ids": "350102199203080011\n350102199311200022", "share_mode": "共同共有", "location": "福州市鼓楼区示例路100号1号楼302单元",
	"unit_no": "350102001001GB00101F00010302", "right_type": "国有建设用地使用权/房屋所有权", "right_nature": "土地：出让/房屋：市场化商品房", "usage": "土地：城镇住宅用地/房屋：成套住宅",
	"term_T09": "国有建设用地使用权2070年12月31日止", "other": "房屋结构：钢筋混凝土结构；总层数：18层；所在层：3层；专有建筑面积：98.60平方米，分摊建筑面积：21.40平方米；竣工时间：2018年6月30日",
	"annex": "附图：宗地图、房产分户图各一份", "print_no": "D35000000001", "plate": "闽A·D12345（黄色）", "vehicle_type": "重型厢式货车", "tonnage": "18吨", "operator_no": "350102000001", "size_mm": "9000×2550×3980",
	"review_note": "2028年1月复核合格", "subjects": "内科\n外科\n妇产科\n儿科\n口腔科\n中医科\n医学检验科", "beds": "40（6）", "grades": "建筑工程施工总承包一级\n市政公用工程施工总承包二级\n地基基础工程专业承包一级",
	"econ_type": "有限责任公司", "project": "示例产业园一期厂房及配套宿舍", "scale": "总建筑面积12600平方米，地上5层，地下1层", "category": "肢体", "grade": "二级", "guardian": "林示例", "guardian_tel": "0591-8888****",
	"ethnic": "汉族", "kind": "初级中学教师资格", "subject": "语文", "supervisor": "福州市鼓楼区民政局", "sample": "公共场所室内空气", "basis": "GB 37488-2019《公共场所卫生指标及限值要求》", "conclusion": "所检项目符合要求",
	"test_kind": "委托检验", "approver": "王示范", "reviewer": "李例", "tester": "张样", "remark": "",
	"license_no": "JY13501020000015", "cert_no": "D335000001", "permit_no": "建字第350102202600001号", "report_no": "QZJC2026-00001", "reg_no": "PDY350102000001D1102A1",
}

// numbers are the forms of numbers on the faces of the types, by their names.
var sampleNumbers = map[string]string{
	"食品生产许可证": "SC10635010200012", "道路运输经营许可证": "闽交运管许可〈榕〉字350100000001号", "道路运输证": "闽交运管榕字350100000001号", "公共场所卫生许可证": "闽卫公证字〔2026〕第350102-000001号",
	"结婚证": "J350102-2026-000001", "离婚证": "L350102-2026-000001", "出生医学证明": "Y350000123", "不动产权证书": "闽（2026）福州市不动产权第0000001号", "安全生产许可证(建筑施工)": "（闽）JZ安许证字〔2026〕000001",
	"残疾人证": "35010219900615002042", "教师资格证书": "20263501022000001", "检验检测机构资质认定证书": "251312340001",
}

// Sample returns invented values for every field of a type: usual ones, to look
// at its face with.
func (t *Type) Sample(today elicense.Date) map[string]string {
	fields := map[string]string{}
	for _, f := range t.Fields {
		fields[f.Key] = t.sampleValue(f, today)
	}
	return fields
}

func (t *Type) sampleValue(f Field, today elicense.Date) string {
	if n := sampleNumbers[t.Name]; n != "" && f.Key == t.Roles.Number {
		return n
	}
	if v := samples[f.Key+"_T09"]; v != "" && t.Roles.HolderName == "owners" {
		return v
	}
	if f.Key == "scope" && t.Name == "检验检测机构资质认定证书" {
		return "公共场所空气|GB/T 18204.2-2014《公共场所卫生检验方法 第2部分》|只测甲醛、苯系物|\n生活饮用水|GB/T 5750-2023《生活饮用水标准检验方法》||扩项"
	}
	if f.Key == "scope" && f.Type == "string" {
		return map[string]string{"道路运输证": "普通货运", "安全生产许可证(建筑施工)": "建筑施工"}[t.Name]
	}
	if f.Key == "scope" && f.Type == "list" {
		return "普通货运\n货物专用运输（冷藏保鲜）"
	}
	switch f.Type {
	case "date":
		switch {
		case f.Key == t.Roles.ValidTo:
			return string(today.AddYears(5, true))
		case samples[f.Key] != "":
			return samples[f.Key]
		}
		return string(today)
	case "idno":
		if samples[f.Key] != "" {
			return samples[f.Key]
		}
		return "350102199006150020"
	case "uscc":
		return "91350102FJDEM90180"
	case "number":
		return "120.00"
	case "image":
		return portrait(strings.Contains(t.Name, "结婚"))
	}
	if v, there := samples[f.Key]; there {
		return v
	}
	return map[string]string{"money": "壹佰万圆整", "int": "40", "datetime": "2026年05月18日08时20分"}[f.Type] + map[bool]string{true: "示例内容"}[f.Type == "string" || f.Type == "text" || f.Type == "list" || f.Type == "enum"]
}

// Extreme returns values that try a face: names of 60 characters (of persons, the
// longest there are), a scope of 1,600, rare characters, and nothing in fields that may be empty.
func (t *Type) Extreme(today elicense.Date) map[string]string {
	fields := t.Sample(today)
	for _, f := range t.Fields {
		switch {
		case !f.Required:
			delete(fields, f.Key)
		case f.Key == t.Roles.HolderName && t.Holders == Persons || f.Key == "name_b":
			fields[f.Key] = "阿卜杜热西提·买买提艾力·𰻝𫵷𬬭㛃"
		case f.Key == t.Roles.HolderName || f.Key == "owner":
			fields[f.Key] = repeated("福州市𬱖𬴊㳚䶮𠅤𣲗示范企业管理服务合伙（有限）", 60)
		case f.Key == "legal_rep" || f.Key == "principal":
			fields[f.Key] = "阿卜杜热西提·𰻝𫵷𬬭㛃"
		case strings.Contains(f.Label, "址") || strings.Contains(f.Label, "场所") || f.Key == "location":
			fields[f.Key] = repeated("福建省福州市鼓楼区东街街道𣲗洲社区示例路100号1号楼A座3层302、303室", 60)
		case f.Type == "text" && !t.listed(f.Key):
			fields[f.Key] = repeated("技术服务、技术开发、技术咨询（依法须经批准的项目除外）；", 1600)
		case f.Type == "list" || f.Type == "text":
			fields[f.Key] = strings.TrimSuffix(strings.Repeat(strings.Split(fields[f.Key], "\n")[0]+"\n", 30), "\n")
		}
	}
	return fields
}

// repeated repeats a text up to n characters.
func repeated(s string, n int) string {
	one := []rune(s)
	out := make([]rune, n)
	for i := range out {
		out[i] = one[i%len(one)]
	}
	return string(out)
}

// portrait draws a figure of nobody, as a data URL: head and shoulders before a
// plain ground, two of them for a wedding.
func portrait(two bool) string {
	w, h, ground := 280, 360, color.RGBA{0x5b, 0x8c, 0xc8, 0xff}
	heads := []float64{0.5}
	if two {
		w, h, ground, heads = 420, 280, color.RGBA{0xc0, 0x39, 0x32, 0xff}, []float64{0.34, 0.66}
	}
	im := image.NewRGBA(image.Rect(0, 0, w, h))
	unit := float64(h)
	for y := range h {
		for x := range w {
			c := ground
			for _, at := range heads {
				dx, dy := (float64(x)-at*float64(w))/unit, float64(y)/unit
				switch {
				case math.Hypot(dx/0.16, (dy-0.4)/0.2) < 1:
					c = color.RGBA{0xf0, 0xd2, 0xb6, 0xff}
					if dy < 0.3 {
						c = color.RGBA{0x2b, 0x24, 0x22, 0xff}
					}
				case math.Hypot(dx/0.3, (dy-1)/0.36) < 1:
					c = color.RGBA{0xf4, 0xf4, 0xf2, 0xff}
				}
			}
			im.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if jpeg.Encode(&b, im, &jpeg.Options{Quality: 70}) != nil { // a buffer takes everything
		return ""
	}
	return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

// Lint finds what is unwise about the type's face, tried with usual and with
// extreme data.
func (t *Type) Lint(fonts *sheet.FontSet, today elicense.Date) []face.Problem {
	facts := make([]face.Fact, len(t.Fields))
	for i, f := range t.Fields {
		facts[i] = face.Fact{Key: f.Key, Label: f.Label, Required: f.Required}
	}
	return face.Lint(t.Face, facts, fonts,
		face.Trial{Name: "常用数据", Data: t.SampleData(t.Sample(today), today)},
		face.Trial{Name: "极端数据", Data: t.SampleData(t.Extreme(today), today)})
}

// SampleData is what a face says with invented values.
func (t *Type) SampleData(fields map[string]string, today elicense.Date) face.Data {
	id, err := elicense.NewIdentifier(t.Code, sampleUnit, "SAMPLE0000000001", 1)
	if err != nil {
		id = "" // a type being drafted may have no code yet
	}
	d := t.FaceData("福建省示例签发单位", fields, today, id, "https://elicense.example/check/0123456789abcdef0123456789abcdef")
	d.Sample = true
	return d
}

// sampleUnit is a unit of the demo.
const sampleUnit = "11350000FJDEM0021G"
