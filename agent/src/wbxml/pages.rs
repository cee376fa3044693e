//! The names of the tags of every code page that a probe may be sent (MS-ASWBXML sections
//! 2.1.2.1.1 to 2.1.2.1.26). They serve what is told to operators and the search for a status;
//! reading needs none of them.

use super::Tag;

/// A code page: its number, its name, and the names of its tokens from 0x05 on, `-` for none.
type Page = (u8, &'static str, &'static str);

#[rustfmt::skip]
const PAGES: &[Page] = &[
    (0, "AirSync", "Sync Responses Add Change Delete Fetch SyncKey ClientId ServerId Status \
        Collection Class - CollectionId GetChanges MoreAvailable WindowSize Commands Options \
        FilterType Truncation - Conflict Collections ApplicationData DeletesAsMoves - Supported \
        SoftDelete MIMESupport MIMETruncation Wait Limit Partial ConversationMode MaxItems \
        HeartbeatInterval"),
    (2, "Email", "Attachment Attachments AttName AttSize Att0Id AttMethod - Body BodySize \
        BodyTruncated DateReceived DisplayName DisplayTo Importance MessageClass Subject Read To \
        Cc From ReplyTo AllDayEvent Categories Category DtStamp EndTime InstanceType BusyStatus \
        Location MeetingRequest Organizer RecurrenceId Reminder ResponseRequested Recurrences \
        Recurrence Type Until Occurrences Interval DayOfWeek DayOfMonth WeekOfMonth MonthOfYear \
        StartTime Sensitivity TimeZone GlobalObjId ThreadTopic MIMEData MIMETruncated MIMESize \
        InternetCPID Flag Status ContentClass FlagType CompleteTime DisallowNewTimeProposal"),
    (5, "Move", "MoveItems Move SrcMsgId SrcFldId DstFldId Response Status DstMsgId"),
    (6, "GetItemEstimate", "GetItemEstimate Version Collections Collection Class CollectionId \
        DateTime Estimate Response Status"),
    (7, "FolderHierarchy", "Folders Folder DisplayName ServerId ParentId Type Response Status \
        ContentClass Changes Add Delete Update SyncKey FolderCreate FolderDelete FolderUpdate \
        FolderSync Count"),
    (13, "Ping", "Ping AutdState Status HeartbeatInterval Folders Folder Id Class MaxFolders"),
    (14, "Provision", "Provision Policies Policy PolicyType PolicyKey Data Status RemoteWipe \
        EASProvisionDoc DevicePasswordEnabled AlphanumericDevicePasswordRequired \
        RequireStorageCardEncryption PasswordRecoveryEnabled - AttachmentsEnabled \
        MinDevicePasswordLength MaxInactivityTimeDeviceLock MaxDevicePasswordFailedAttempts \
        MaxAttachmentSize AllowSimpleDevicePassword DevicePasswordExpiration \
        DevicePasswordHistory AllowStorageCard AllowCamera RequireDeviceEncryption \
        AllowUnsignedApplications AllowUnsignedInstallationPackages \
        MinDevicePasswordComplexCharacters AllowWiFi AllowTextMessaging AllowPOPIMAPEmail \
        AllowBluetooth AllowIrDA RequireManualSyncWhenRoaming AllowDesktopSync \
        MaxCalendarAgeFilter AllowHTMLEmail MaxEmailAgeFilter MaxEmailBodyTruncationSize \
        MaxEmailHTMLBodyTruncationSize RequireSignedSMIMEMessages RequireEncryptedSMIMEMessages \
        RequireSignedSMIMEAlgorithm RequireEncryptionSMIMEAlgorithm \
        AllowSMIMEEncryptionAlgorithmNegotiation AllowSMIMESoftCerts AllowBrowser \
        AllowConsumerEmail AllowRemoteDesktop AllowInternetSharing UnapprovedInROMApplicationList \
        ApplicationName ApprovedApplicationList Hash AccountOnlyRemoteWipe"),
    (17, "AirSyncBase", "BodyPreference Type TruncationSize AllOrNone - Body Data \
        EstimatedDataSize Truncated Attachments Attachment DisplayName FileReference Method \
        ContentId ContentLocation IsInline NativeBodyType ContentType Preview BodyPartPreference \
        BodyPart Status Add Delete ClientId Content Location Annotation Street City State Country \
        PostalCode Latitude Longitude Accuracy Altitude AltitudeAccuracy LocationUri InstanceId"),
    (18, "Settings", "Settings Status Get Set Oof OofState StartTime EndTime OofMessage \
        AppliesToInternal AppliesToExternalKnown AppliesToExternalUnknown Enabled ReplyMessage \
        BodyType DevicePassword Password DeviceInformation Model IMEI FriendlyName OS OSLanguage \
        PhoneNumber UserInformation EmailAddresses SMTPAddress UserAgent EnableOutboundSMS \
        MobileOperator PrimarySmtpAddress Accounts Account AccountId AccountName UserDisplayName \
        SendDisabled - RightsManagementInformation"),
    (20, "ItemOperations", "ItemOperations Fetch Store Options Range Total Properties Data Status \
        Response Version Schema Part EmptyFolderContents DeleteSubFolders UserName Password Move \
        DstFldId ConversationId MoveAlways"),
    (21, "ComposeMail", "SendMail SmartForward SmartReply SaveInSentItems ReplaceMime - Source \
        FolderId ItemId LongId InstanceId Mime ClientId Status AccountId - Forwardees Forwardee \
        Name Email"),
    (22, "Email2", "UmCallerID UmUserNotes UmAttDuration UmAttOrder ConversationId \
        ConversationIndex LastVerbExecuted LastVerbExecutionTime ReceivedAsBcc Sender CalendarType \
        IsLeapMonth AccountId FirstDayOfWeek MeetingMessageType - IsDraft Bcc Send"),
    (24, "RightsManagement", "RightsManagementSupport RightsManagementTemplates \
        RightsManagementTemplate RightsManagementLicense EditAllowed ReplyAllowed ReplyAllAllowed \
        ForwardAllowed ModifyRecipientsAllowed ExtractAllowed PrintAllowed ExportAllowed \
        ProgrammaticAccessAllowed Owner ContentExpiryDate TemplateID TemplateName \
        TemplateDescription ContentOwner RemoveRightsManagementProtection"),
];

/// The names of a tag's page and of the tag, if it has any.
pub(super) fn name(tag: Tag) -> Option<(&'static str, &'static str)> {
    let (_, page, names) = PAGES.iter().find(|(number, ..)| *number == tag.page)?;
    let place = usize::from(tag.token.checked_sub(5)?);
    let name = names.split_whitespace().nth(place)?;
    (name != "-").then_some((*page, name))
}
