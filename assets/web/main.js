// The page's own modules: all features, started here in this order, and what Gradio may call.

import {
  adjudicate, attachAdjudication, startAdjudicationKeys,
} from "./annotate/adjudication.js";
import {
  attachAnnotate, labelDataset, refreshPairs, showExportResult, startAnnotateKeys,
} from "./annotate/annotate.js";
import { attachFormErrors } from "./evaluate/form-errors.js";
import { attachChatColumns, startChatKeys } from "./chat/columns.js";
import { attachChatList } from "./chat/conversation-list.js";
import {
  askedEvaluation, attachEvaluationLink, attachEvaluationList, confirmEvaluationDeletion,
  confirmMatchDeletion, evaluationShown, nameEvaluation,
} from "./evaluate/evaluation-list.js";
import { attachJudgeCounting } from "./evaluate/judge-counting.js";
import { attachCheckReport } from "./library/check-report.js";
import { attachImportEnd, attachImportTicker } from "./library/import-progress.js";
import { attachOpenRow } from "./library/open-row.js";
import { attachRowList } from "./library/row-list.js";
import { attachUploadArea } from "./library/upload-area.js";
import { showWriteForm } from "./library/write-form.js";
import { attachRoundList, confirmRoundDeletion } from "./rounds/round-list.js";
import { startCurvePicture } from "./runs/curve-picture.js";
import { recallLook } from "./runs/curve-options.js";
import { startExportFiles } from "./runs/export-files.js";
import { startReadingPlace } from "./runs/focus-and-scroll.js";
import {
  confirmRunDeletion, whatIsShown, withKeptLook, withRecalledLook,
} from "./runs/event-values.js";
import { attachCheckpoints, attachRunList } from "./runs/run-list.js";
import { openConnection } from "./shared/connection.js";
import { startCrosshair } from "./shared/curve-crosshair.js";
import { openBridge } from "./shared/gradio-bridge.js";
import { EVALUATIONS, ROUNDS, RUNS, followChanges, startPulse } from "./shell/change-pulse.js";
import { attachHeader } from "./shell/header.js";
import { startLoginState } from "./shell/login-state.js";
import { startTabAddress } from "./shell/open-tab.js";
import { startTheme } from "./shell/theme.js";
import { startTypedText } from "./shell/typed-text.js";
import { attachFieldErrors } from "./train/field-errors.js";
import { startFreeChoices } from "./train/editable-dropdown.js";
import { confirmSettingsDeletion, gatherValues } from "./train/event-values.js";
import { attachSuggestions } from "./train/plan-suggestions.js";
import { attachRunFile } from "./train/run-file-download.js";
import { startSectionList } from "./train/section-list.js";
import { attachHelp } from "./train/setting-help.js";
import { startSettingSearch } from "./train/setting-search.js";
import { showLevel, showMethod } from "./train/shown-settings.js";

/** @type {Record<string, import("./shared/gradio-bridge.js").Attach>} */
const components = {
  header: attachHeader,
  annotate: attachAnnotate,
  adjudication: attachAdjudication,
  "row-list": attachRowList,
  "open-row": attachOpenRow,
  "import-ticker": attachImportTicker,
  "import-end": attachImportEnd,
  "upload-area": attachUploadArea,
  "check-report": attachCheckReport,
  "run-changes": (component) => followChanges(component, RUNS),
  "run-list": attachRunList,
  "evaluation-changes": (component) => followChanges(component, EVALUATIONS),
  "evaluation-list": attachEvaluationList,
  "evaluation-link": attachEvaluationLink,
  "judge-counting": attachJudgeCounting,
  "evaluate-errors": attachFormErrors,
  "round-changes": (component) => followChanges(component, ROUNDS),
  "round-list": attachRoundList,
  "chat-columns": attachChatColumns,
  "chat-list": attachChatList,
  checkpoints: attachCheckpoints,
  "field-errors": attachFieldErrors,
  "setting-help": attachHelp,
  suggestions: attachSuggestions,
  "run-file": attachRunFile,
};

/** @type {Record<string, import("./shared/gradio-bridge.js").Hook>} */
const hooks = {
  "return-first": (value) => value,
  "return-first-given": (first, second) => first ?? second,
  adjudicate,
  "label-dataset": labelDataset,
  "refresh-pairs": refreshPairs,
  "show-write-form": showWriteForm,
  "show-export-result": showExportResult,
  "what-is-shown": whatIsShown,
  "with-kept-look": withKeptLook,
  "with-recalled-look": withRecalledLook,
  "recall-look": (smoothing, logScale) => recallLook([smoothing, logScale]),
  "confirm-run-deletion": confirmRunDeletion,
  "evaluation-shown": evaluationShown,
  "asked-evaluation": askedEvaluation,
  "name-evaluation": nameEvaluation,
  "confirm-evaluation-deletion": confirmEvaluationDeletion,
  "confirm-match-deletion": confirmMatchDeletion,
  "confirm-round-deletion": confirmRoundDeletion,
  "show-level": showLevel,
  "show-method": showMethod,
  "gather-values": gatherValues,
  "confirm-settings-deletion": confirmSettingsDeletion,
};

openConnection();
openBridge(components, hooks);
startTypedText();
startTheme();
startTabAddress();
startCrosshair();
startReadingPlace();
startCurvePicture();
startExportFiles();
startSettingSearch();
startSectionList();
startFreeChoices();
startPulse();
startLoginState();
startAnnotateKeys();
startAdjudicationKeys();
startChatKeys();
