//! Exchange Web Services as far as GetFolder of the inbox goes, and its errors both in answers
//! and as faults of SOAP, from Microsoft's reference of EWS. Documented, not recorded.

use hyper::{Method, StatusCode};

use super::logon::logon;
use super::{Asked, Page, text, typed};
use crate::House;
use crate::fault::Fault;

/// How many messages the lab's inbox holds.
const MESSAGES: u32 = 42;

pub(super) fn answer(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    if !asked.uri.path().eq_ignore_ascii_case("/ews/exchange.asmx") {
        return text(StatusCode::NOT_FOUND, "no such service");
    }
    if let Err(page) = logon(asked, house, fault) {
        return *page;
    }
    let body = String::from_utf8_lossy(&asked.body);
    if asked.method != Method::POST || !body.contains("GetFolder") {
        return soap_fault("ErrorInvalidRequest");
    }
    if body.contains("Impersonation") {
        let known = body.split_once("PrimarySmtpAddress>").and_then(|(_, rest)| {
            let (address, _) = rest.split_once('<')?;
            house.accounts.exists(address).then_some(())
        });
        if known.is_none() {
            return told("Error", "<m:ResponseCode>ErrorNonExistentMailbox</m:ResponseCode>");
        }
    }
    match fault {
        Some(Fault::SoapFault(code)) => soap_fault(code),
        Some(Fault::Code(code)) => told(
            "Error",
            &format!(
                "<m:MessageText>told to fail</m:MessageText><m:ResponseCode>{code}\
                 </m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>{}",
                back_off(code)
            ),
        ),
        _ => told(
            "Success",
            &format!(
                "<m:ResponseCode>NoError</m:ResponseCode><m:Folders><t:Folder>\
                 <t:FolderId Id=\"AQMkAGlab=\" ChangeKey=\"AQAAABY=\"/><t:DisplayName>Inbox\
                 </t:DisplayName><t:TotalCount>{MESSAGES}</t:TotalCount></t:Folder></m:Folders>"
            ),
        ),
    }
}

fn back_off(code: &str) -> &'static str {
    match code {
        "ErrorServerBusy" => {
            "<m:MessageXml><t:Value Name=\"BackOffMilliseconds\">30000</t:Value></m:MessageXml>"
        }
        _ => "",
    }
}

fn told(class: &str, inside: &str) -> Page {
    envelope(
        StatusCode::OK,
        &format!(
            "<m:GetFolderResponse><m:ResponseMessages><m:GetFolderResponseMessage \
             ResponseClass=\"{class}\">{inside}</m:GetFolderResponseMessage></m:ResponseMessages>\
             </m:GetFolderResponse>"
        ),
    )
}

fn soap_fault(code: &str) -> Page {
    let back_off = back_off(code);
    envelope(
        StatusCode::INTERNAL_SERVER_ERROR,
        &format!(
            "<s:Fault><faultcode>a:{code}</faultcode><faultstring xml:lang=\"en-US\">told to fail\
             </faultstring><detail><m:ResponseCode>{code}</m:ResponseCode>{back_off}</detail>\
             </s:Fault>"
        ),
    )
}

fn envelope(status: StatusCode, body: &str) -> Page {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
         xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\"><s:Header>\
         <t:ServerVersionInfo MajorVersion=\"15\" MinorVersion=\"2\" MajorBuildNumber=\"1544\" \
         MinorBuildNumber=\"4\"/></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    );
    typed(status, "text/xml; charset=utf-8", &document)
}
