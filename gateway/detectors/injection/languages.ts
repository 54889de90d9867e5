import type { Marker } from './rule.ts';

const languages: readonly [kind: string, pattern: string][] = [
  ['override', 'ignorier(?:e|en sie) alles,? was (?:oben|bisher|zuvor|davor|vorher)'],
  ['override', 'vergiss alles,? was (?:du (?:bisher|zuvor|vorher)|oben|bisher|zuvor)'],
  [
    'override',
    '(?:ignore[rz]?|oublie[rz]?) (?:toutes (?:les |tes |vos )?(?:instructions|consignes)|tout ce qui précède)',
  ],
  ['override', '(?:ignora|olvida|ignore|olvide) todo lo (?:anterior|dicho)'],
  ['override', '(?:忽略|无视|忘记)(?:以上|上述|之前|前面)(?:的)?(?:所有|全部|一切)?(?:的)?(?:内容|信息|文字|对话)'],
  [
    'override',
    'ignorier(?:e|en sie|t) (?:bitte )?(?:alle |die |deine |ihre |sämtliche ){0,3}(?:vorherigen|bisherigen|vorigen|obigen|früheren|vorangegangenen) (?:anweisungen|instruktionen|befehle|vorgaben|regeln)',
  ],
  [
    'override',
    'vergiss (?:bitte )?(?:alle |die |deine |sämtliche ){0,3}(?:vorherigen|bisherigen|vorigen|obigen|früheren) (?:anweisungen|instruktionen|befehle|vorgaben|regeln)',
  ],
  [
    'override',
    '(?:ignore[rz]?|oublie[rz]?) (?:toutes? )?(?:les |tes |vos ){0,2}(?:instructions|consignes|directives|ordres) (?:précédentes|antérieures|précédents|ci-dessus)',
  ],
  [
    'override',
    '(?:ignora|ignore|olvida|olvide|descarta) (?:todas )?(?:las |tus |sus ){0,2}(?:instrucciones|indicaciones|órdenes|reglas) (?:anteriores|previas)',
  ],
  [
    'override',
    '(?:ignora|dimentica|ignorate) (?:tutte )?(?:le |tue ){0,2}(?:istruzioni|indicazioni|direttive) (?:precedenti|anteriori)',
  ],
  [
    'override',
    '(?:ignore|esqueça|desconsidere) (?:todas )?(?:as |suas ){0,2}(?:instruções|orientações|ordens) (?:anteriores|prévias|acima)',
  ],
  [
    'override',
    '(?:negeer|vergeet) (?:alle )?(?:de )?(?:vorige|eerdere|voorgaande|bovenstaande) (?:instructies|opdrachten|aanwijzingen)',
  ],
  [
    'override',
    '(?:zignoruj|zapomnij) (?:o )?(?:wszystkie |wszystkich )?(?:poprzednie|wcześniejsze|poprzednich) (?:instrukcje|polecenia|instrukcjach)',
  ],
  ['override', '(?:önceki|yukarıdaki) (?:tüm )?(?:talimatları|yönergeleri|komutları) (?:yok say|görmezden gel|unut)'],
  [
    'override',
    '(?:игнорируй|проигнорируй|забудь|игнорируйте)(?:те)? (?:все )?(?:предыдущие|прежние|прошлые|вышеуказанные) (?:инструкции|указания|команды|правила)',
  ],
  [
    'override',
    '(?:忽略|无视|忘记|忘掉|不要理会)(?:掉)?(?:你|您)?(?:之前|以上|上述|先前|前面|所有|此前)(?:的)?(?:所有|全部|一切)?(?:的)?(?:指令|指示|提示|说明|命令|规则)',
  ],
  ['override', '(?:忽略|無視)(?:之前|以上|上述|先前|前面|所有)(?:的)?(?:所有|全部)?(?:的)?(?:指令|指示|提示)'],
  [
    'override',
    '(?:これまで|以前|上記|前|先)の(?:すべての|全ての)?(?:指示|命令|プロンプト)(?:を|は)(?:すべて|全て)?(?:無視|忘れ)(?:して|てください|し)?',
  ],
  [
    'override',
    '(?:이전|앞선|위)의? ?(?:모든 )?(?:지시|명령|지침)(?:사항)?(?:를|을) ?(?:모두 )?(?:무시|잊)(?:하고|해|어|하세요)?',
  ],
  ['override', '(?:تجاهل|انس) (?:جميع |كل )?(?:التعليمات|الأوامر) (?:السابقة|أعلاه)'],
  ['override', '(?:पिछले|ऊपर के) (?:सभी )?(?:निर्देशों|आदेशों) को (?:अनदेखा|नज़रअंदाज़|भूल)(?: करें| जाओ| जाएं)?'],
  ['secrecy', '(?:sag|sage|verrate|erzähl) (?:es )?dem (?:nutzer|benutzer|anwender) (?:nichts|nicht)'],
  ['secrecy', "ne (?:dis|dites|révèle|révélez) (?:rien|pas)(?: cela| ça)? à l['’]utilisateur"],
  ['secrecy', 'no (?:le|se lo) (?:digas|diga|cuentes|reveles)(?: nada)? al usuario'],
  ['secrecy', '(?:不要|别|切勿)(?:告诉|告知|通知|透露给)(?:用户|使用者)'],
  ['secrecy', 'ユーザーに(?:は)?(?:言わないで|伝えないで|知らせないで)'],
  ['secrecy', 'не (?:говори|сообщай|рассказывай) (?:об этом )?пользователю'],
];

const FIRST =
  /ignor|vergiss|oubli|olvid|descarta|dimentica|esqueça|desconsidere|negeer|vergeet|zignoruj|zapomnij|önceki|yukarıdaki|игнорир|проигнор|забудь|忽略|无视|忘|不要|無視|これまで|以前|上記|前の|先の|이전|앞선|위의|تجاهل|انس|पिछले|ऊपर|sage? |verrate|erzähl|ne di|ne r|no (?:le|se) |别告|切勿|ユーザーに|не [грс]/giu;
const COMPILED = languages.map(([kind, pattern]) => ({ kind, pattern: new RegExp(pattern, 'iuy') }));

/** Commands to the model in other languages than English. */
export function inOtherLanguages(text: string, onMarker: (marker: Marker) => void): void {
  let done = 0;
  for (const { index } of text.matchAll(FIRST)) {
    if (index < done) continue;
    for (const { kind, pattern } of COMPILED) {
      pattern.lastIndex = index;
      const match = pattern.exec(text);
      if (match === null) continue;
      done = index + match[0].length;
      onMarker({ kind, start: index, end: done, confidence: 0.9 });
      break;
    }
  }
}
