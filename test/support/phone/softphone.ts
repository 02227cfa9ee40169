/** A contact as Asterisk names it, and the channel of the softphone that calls from there. */
export const CONTACT = '1001;@10bad46871875c60c22c8f6fb3332b1';
export const CHANNEL = 'PJSIP/1001-0000002a';

/** What Asterisk tells of a softphone that has registered from 192.0.2.7, by the functions that are read. */
export const SOFTPHONE: Readonly<Record<string, string>> = {
  'CHANNEL(pjsip,remote_addr)': '192.0.2.7:40000',
  'PJSIP_ENDPOINT(1001,aors)': '1001',
  'PJSIP_AOR(1001,contact)': CONTACT,
  [`PJSIP_CONTACT(${CONTACT},uri)`]: 'sip:1001@192.0.2.7:40000;ob',
  [`PJSIP_CONTACT(${CONTACT},expiration_time)`]: '1795378032',
  [`PJSIP_CONTACT(${CONTACT},path)`]: '',
};
