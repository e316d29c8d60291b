//! A delivery under way.

super::group! {
    GROUP: "a delivery under way",
    "What was begun is in the journal, and the next command on that release or Application finds it there. What failed has been looked at before anything was rolled back: pods, events and logs stand above the message.";
    BROKEN_PLAN = 440, Failed, "A plan has two steps of one name, or an object without one.";
    LIVE_CHANGED = 441, Refused, "What is live has changed since the plan was made.";
    BUSY = 442, Failed, "Another process delivers the same.";
    NOT_RESUMABLE = 443, Failed, "A delivery that was broken off cannot be gone on with.";
    INTERRUPTED = 444, Interrupted, "A delivery was interrupted; what was begun is in the journal.";
    KILLED = 445, Failed, "The process was told to die at a step, as tests do.";
    PLAN_OUTDATED = 446, Refused, "What would be done now is not what the plan that was saved says.";
    UNCONFIRMED = 447, Refused, "Something is deleted only once somebody has confirmed it.";
    NOTHING_NAMED = 448, Usage, "A sync names objects, and its Application has none of them.";
    REFUSED = 450, Failed, "The cluster refused a step of the delivery.";
    HOOK_FAILED = 451, Unhealthy, "A hook has failed.";
    NEVER_READY = 452, Unhealthy, "An object can never become ready.";
    NOT_IN_TIME = 453, Unhealthy, "An object did not become ready in time.";
    ONCE = 460, Refused, "A value that is made once would be changed or deleted.";
    NO_APPLICATION_OBJECT = 470, Failed, "An object is no Application.";
    BAD_APPLICATION = 471, Failed, "The spec of an Application cannot be used.";
    SHARED_OBJECT = 472, Failed, "An object belongs to two Applications, and the sync is to fail then.";
    WIPES_OUT = 473, Refused, "Every object of an Application would be pruned.";
    SYNC_NOTE = 474, GoesOn, "Something of an Application is not taken over as it stands.";
    NOT_PERMITTED = 475, Refused, "The project does not permit what the Application delivers.";
    NO_PROJECT = 476, GoesOn, "The project of an Application is not known here.";
    SET_NOT_EXPANDED = 477, Failed, "What an ApplicationSet generates cannot be found out.";
    DRAWN_ANEW = 478, GoesOn, "A release's templates draw values anew with each rendering; what of them lives in a Secret stays, unless it goes elsewhere, too.";
    NO_SUCH_PROJECT = 479, Refused, "The project of an Application is not there, and nothing says what it may deliver.";
    STORE = 480, Failed, "The journal of deliveries cannot be opened, read or written.";
}
