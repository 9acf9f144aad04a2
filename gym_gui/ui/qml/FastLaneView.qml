// One run's live picture with its numbers over it. Shown in a QQuickWidget by FastLaneTab.
import QtQuick
import GymGui 1.0

Rectangle {
    id: view
    color: "#0b0d10"
    property bool hudVisible: true
    property string message: ""
    property string detail: ""
    property bool paused: false
    property bool numbersGoOn: false  // behind a message, too
    property string mode: ""  // shown over the numbers; empty while training

    function number(value, digits) {
        return isFinite(value) ? value.toLocaleString(Qt.locale("en_US"), "f", digits) : String(value)
    }

    FastLaneItem {
        id: frame
        objectName: "fastLaneItem"
        anchors.fill: parent
        opacity: view.message === "" ? 1.0 : 0.18
    }

    component Reading: Row {
        property string name
        property string value
        property string label
        spacing: 8
        Text {
            text: parent.label
            color: "#9aa4b2"
            font.pixelSize: 12
            width: 78
        }
        Text {
            objectName: parent.name
            text: parent.value
            color: "#f2f5f9"
            font.pixelSize: 13
            font.bold: true
            width: 72
            horizontalAlignment: Text.AlignRight
        }
    }

    Rectangle {
        objectName: "hud"
        visible: view.hudVisible && (view.message === "" || view.paused || view.numbersGoOn)
        anchors { left: parent.left; top: parent.top; margins: 12 }
        width: readings.width + 24
        height: readings.height + 18
        radius: 8
        color: "#e6141a22"
        Column {
            id: readings
            anchors.centerIn: parent
            spacing: 3
            Text {
                objectName: "mode"
                visible: view.mode !== ""
                text: view.mode
                color: "#ffd166"
                font.pixelSize: 12
                font.bold: true
            }
            Text {
                objectName: "paused"
                visible: view.paused
                text: qsTr("Paused")
                color: "#ffd166"
                font.pixelSize: 12
                font.bold: true
            }
            Reading { name: "last_reward"; label: qsTr("Reward"); value: view.number(frame.lastReward, 2) }
            Reading { name: "rolling_return"; label: qsTr("Mean return"); value: view.number(frame.rollingReturn, 1) }
            Reading { name: "step_rate_hz"; label: qsTr("Steps/s"); value: view.number(view.paused ? 0 : frame.stepRateHz, 0) }
        }
    }

    Column {
        visible: view.message !== ""
        anchors.centerIn: parent
        width: Math.min(parent.width - 48, 560)
        spacing: 6
        Text {
            objectName: "message"
            text: view.message
            color: "#f2f5f9"
            font.pixelSize: 18
            font.bold: true
            width: parent.width
            wrapMode: Text.WordWrap
            horizontalAlignment: Text.AlignHCenter
        }
        Text {
            text: view.detail
            color: "#c3cbd6"
            font.pixelSize: 13
            width: parent.width
            wrapMode: Text.WordWrap
            horizontalAlignment: Text.AlignHCenter
        }
    }
}
