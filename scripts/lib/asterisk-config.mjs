/** The configuration of the Asterisk that tests and bench run: modules by name, loopback alone, accounts made up for it. */

/** What is loaded, and nothing else: res_agi needs res_speech, res_ari res_websocket_client, chan_pjsip res_pjsip_pubsub. */
const MODULES = `
res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb res_pjproject res_crypto res_http_websocket
res_websocket_client res_speech res_agi res_rtp_asterisk res_stasis res_stasis_answer res_stasis_playback
res_stasis_recording res_stasis_snoop res_stasis_device_state res_ari res_ari_model res_ari_applications
res_ari_asterisk res_ari_bridges res_ari_channels res_ari_device_states res_ari_endpoints res_ari_events
res_ari_playbacks res_ari_recordings res_ari_sounds res_pjsip res_pjsip_pubsub res_pjsip_session res_pjsip_sdp_rtp
res_pjsip_authenticator_digest res_pjsip_outbound_authenticator_digest res_pjsip_endpoint_identifier_ip
res_pjsip_endpoint_identifier_user res_pjsip_registrar res_pjsip_nat res_pjsip_caller_id res_pjsip_rfc3326
res_pjsip_dtmf_info chan_pjsip bridge_simple bridge_builtin_features codec_ulaw codec_gsm
codec_a_mu codec_alaw codec_resample format_gsm format_pcm format_wav format_sln pbx_config app_stasis app_playback
app_dial app_echo app_verbose app_userevent app_read app_stack app_exec app_senddtmf func_channel func_callerid func_timeout
func_strings func_logic func_pjsip_contact func_pjsip_aor func_pjsip_endpoint func_cut func_uri func_env func_global res_clioriginate
`;

const LOG_FILES = `[general]
[logfiles]
messages.log => notice,warning,error,verbose,security
console => notice,warning,error
`;

/**
 * The files of /etc/asterisk by their names.
 * @param {import('./asterisk-server.mjs').AsteriskOptions & {directory: string, data: string, modules: string}} options
 * @returns {Record<string, string>}
 */
export function asteriskConfig(options) {
  const { directory, address, sipPort, httpPort, amiPort, rtp } = options;
  const below = (name) => `${directory}/${name}`;
  return {
    'asterisk.conf': `[directories]
astetcdir => ${below('etc')}
astmoddir => ${options.modules}
astvarlibdir => ${below('lib')}
astdbdir => ${below('lib')}
astkeydir => ${below('lib')}
astdatadir => ${options.data}
astagidir => ${below('lib')}
astspooldir => ${below('spool')}
astrundir => ${below('run')}
astlogdir => ${below('log')}
[options]
nocolor = yes
`,
    'modules.conf': `[modules]\nautoload=no\n${lines(MODULES, (name) => `load=${name}.so`)}`,
    'logger.conf': LOG_FILES,
    'rtp.conf': `[general]\nrtpstart=${rtp[0]}\nrtpend=${rtp[1]}\n`,
    'http.conf': `[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport=${httpPort}\n`,
    'ari.conf': `[general]\nenabled=yes\n${lines(options.ariUsers, ariUser)}`,
    'manager.conf': `[general]\nenabled=yes\nbindaddr=127.0.0.1\nport=${amiPort}\n${lines(options.amiUsers, amiUser)}`,
    'pjsip.conf': `[global]
type=global
[udp]
type=transport
protocol=udp
bind=${address}:${sipPort}
${lines(options.phones, (phone) => softphone(phone, address))}${lines(options.trunks, (one) => trunk(one, address))}`,
    'extensions.conf': options.dialplan,
    'features.conf': '[general]\n',
    'cdr.conf': '[general]\nenable=no\n',
    'cel.conf': '[general]\nenable=no\n',
    'ccss.conf': '[general]\n',
    'acl.conf': '',
    'udptl.conf': '[general]\n',
    'stasis.conf': '',
    'indications.conf':
      '[general]\ncountry=us\n[us]\ndescription=us\ndial=350+440\nbusy=480+620/500,0/500\nring=440+480/2000,0/4000\ncongestion=480+620/250,0/250\n',
    'pjproject.conf': '',
    'codecs.conf': '',
    'sorcery.conf': '',
    'musiconhold.conf': '',
    'cli.conf': '',
    'cli_permissions.conf': '[general]\n',
    'cli_aliases.conf': '',
    'extconfig.conf': '',
    'dnsmgr.conf': '[general]\n',
    'websocket_client.conf': '',
    'res_http_media_cache.conf': '',
  };
}

/** 864 is led by ARI, 865 by AMI; a number that is rung is a telephone. */
export const DIALPLAN = `[phone]
exten => 864,1,Set(TIMEOUT(absolute)=180)
 same => n,Answer()
 same => n,Stasis(sallyport)
 same => n,Hangup()
exten => 865,1,Goto(sallyport,menu,1)
[sallyport]
exten => menu,1,Set(TIMEOUT(absolute)=180)
 same => n,Answer()
 same => n,AGI(agi:async)
 same => n,Hangup()
[sallyport-ring]
exten => _X.,1,Dial(PJSIP/\${EXTEN},3)
`;

function ariUser({ name, password }) {
  return `[${name}]\ntype=user\npassword=${password}\nread_only=no\n`;
}

function amiUser({ name, password, read, write }) {
  return `[${name}]
secret=${password}
deny=0.0.0.0/0.0.0.0
permit=127.0.0.1/255.255.255.255
read=${read}
write=${write}
writetimeout=5000
`;
}

/** Registers and places calls, both with its password. */
function softphone({ name, password, callerid = `Phone ${name} <${name}>` }, address) {
  return `${endpoint(name, address)}auth=${name}
aors=${name}
callerid=${callerid}
[${name}]
type=auth
auth_type=digest
username=${name}
password=${password}
[${name}]
type=aor
max_contacts=1
remove_existing=yes
`;
}

/** Known by the address it sends from, as a provider is. */
function trunk({ name, from, port }, address) {
  return `${endpoint(name, address)}aors=${name}
[${name}]
type=aor
contact=sip:${name}@${from}:${port}
[${name}]
type=identify
endpoint=${name}
match=${from}/32
`;
}

function endpoint(name, address) {
  return `[${name}]
type=endpoint
context=phone
disallow=all
allow=ulaw
dtmf_mode=rfc4733
direct_media=no
media_address=${address}
bind_rtp_to_media_address=yes
rtp_symmetric=yes
force_rport=yes
rewrite_contact=yes
`;
}

function lines(values, line) {
  const all = typeof values === 'string' ? values.split(/\s+/).filter((name) => name !== '') : values;
  return all.map((value) => `${line(value)}\n`).join('');
}
